"""A class's ledger at its end: closed before anything is ended, metered once more, settled, and verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlab.cost.total import Total
from clusterlab.course.ending.metering import owners, pools, usage
from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.closing import Conclusion, How, close, conclude, is_closed, last_steps
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering.meter import meter

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.cost.interval import Interval
    from clusterlab.reaper.cloud import Cloud

T = TypeVar("T")
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between two tries at a ledger that does not answer: its database may be gone for a minute."""
TRIES = 3
"""At metering: whoever ends the class beside us may have recorded an end that differs by a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What the ledger came to."""

    name: str
    conclusions: tuple[Conclusion, ...]
    problems: tuple[str, ...]
    """What could not be metered."""
    fault: str | None
    """The first row that is not as it was written."""
    head: str
    metered: Total
    held_usd: str
    closed: bool
    runs: Mapping[str, int]
    """By the kind of its last row how many there are."""
    goes_on: bool
    """Whether something of the course is in use by the ledger."""

    @property
    def open(self) -> dict[str, str]:
        """By run why it stays open."""
        return {each.run: each.why for each in self.conclusions if each.how is How.OPEN}

    def as_json(self) -> dict[str, Any]:
        """For the proof."""
        return {
            "name": self.name,
            "closed": self.closed,
            "runs_by_last_row": dict(self.runs),
            "open": self.open,
            "not_metered": list(self.problems),
            "fault": self.fault,
            "head": self.head,
            "metered": self.metered.as_json(),
            "held_usd": self.held_usd,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """How the ledger of a class is reached; it is opened for each thing anew, since it may go with the class."""

    course: str
    opened: Callable[[], Ledger]
    catalog: Catalog
    now: Callable[[], datetime]
    """The cloud's clock."""
    sleep: Callable[[float], None]
    pauses: Sequence[float] = field(default=PAUSES)

    def strays(self) -> dict[str, dict[str, dict[str, str]]]:
        """By region and id the owners of all that was ever metered in EC2 for the course.

        Raises:
            UnreachableError: the ledger does not answer.
        """
        return self._asked(lambda ledger: owners(ledger.intervals(), self.course))

    def close(self) -> bool:
        """Have it refuse each further launch of the course; False where it does already.

        Raises:
            UnreachableError: the ledger does not answer.
        """
        return self._asked(lambda ledger: close(ledger, self.course) is not None)

    def is_closed(self) -> bool:
        """Whether it refuses each further launch of the course.

        Raises:
            UnreachableError: the ledger does not answer.
        """
        return self._asked(lambda ledger: is_closed(ledger, self.course))

    def meter(self, cloud: Cloud | None, regions: Sequence[str]) -> None:
        """Put on record what is in use now.

        Raises:
            UnreachableError: the ledger does not answer.
        """
        if cloud is not None:
            self._metered(cloud, regions, frozenset())

    def settle(self, cloud: Cloud | None, regions: Sequence[str], kept: frozenset[str] = frozenset()) -> Settled:
        """Meter once more, conclude every run that is over, and look whether each row is as it was written.

        What is kept is nobody's use from now on: the class is over.

        Raises:
            UnreachableError: the ledger does not answer.
        """
        problems = self._metered(cloud, regions, kept) if cloud else ()
        return self._asked(lambda ledger: self._settled(ledger, problems))

    def _metered(self, cloud: Cloud, regions: Sequence[str], kept: frozenset[str]) -> tuple[str, ...]:
        problems: tuple[str, ...] = ()
        for _ in range(TRIES):
            known = self._asked(lambda ledger: ledger.intervals())
            problems = self._meter(cloud, regions, known, kept)
            if not problems:
                break
        return problems

    def _meter(
        self, cloud: Cloud, regions: Sequence[str], known: Sequence[Interval], kept: frozenset[str]
    ) -> tuple[str, ...]:
        at = self.now()
        of_course = [each for each in known if each.course == self.course]
        seen = usage(cloud, regions, self.catalog, of_course, course=self.course, at=at)
        seen = replace(seen, sightings=tuple(each for each in seen.sightings if each.resource_id not in kept))
        observed = list(pools(seen, of_course))
        metered = self._asked(lambda ledger: [meter(ledger, each) for each in observed])
        return tuple(problem for each in metered for problem in each.problems)

    def _settled(self, ledger: Ledger, problems: Iterable[str]) -> Settled:
        conclusions = conclude(ledger, self.course)
        fault, head = ledger.verify(), ledger.head()
        of_course = [each for each in ledger.intervals() if each.course == self.course]
        budgets = {(each.scope, each.name): each for each in ledger.budgets()}
        budget = budgets.get((Scope.COURSE, self.course))
        at = self.now()
        return Settled(
            name=ledger.database.name,
            conclusions=tuple(conclusions),
            problems=tuple(problems),
            fault=str(fault) if fault else None,
            head=head,
            metered=Total.of(each.usd(at) for each in of_course),
            held_usd=f"{budget.held_usd:f}" if budget else "0",
            closed=budget is not None and budget.cap_usd == 0,
            runs=last_steps(ledger, self.course),
            goes_on=any(each.end is None for each in of_course),
        )

    def _asked(self, ask: Callable[[Ledger], T]) -> T:
        for pause in (*self.pauses, None):
            try:
                with closing(self._clocked()) as ledger:
                    return ask(ledger)
            except UnreachableError:
                if pause is None:
                    raise
                self.sleep(pause)
        raise ClusterlabError("the ledger does not answer")

    def _clocked(self) -> Ledger:
        """The ledger; SQLite's clock, this machine's, may not be behind the cloud's."""
        ledger = self.opened()
        if ledger.database.is_server or ledger.clock is not None:
            return ledger
        return replace(ledger, clock=lambda: max(self.now(), datetime.now(self.now().tzinfo)))
