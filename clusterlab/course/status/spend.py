"""What of each budget is spent, and what is in use beyond its lease where no cloud is asked: by the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusterlab.class_budget import Limits
from clusterlab.cost.interval import Source
from clusterlab.cost.total import Total
from clusterlab.course.status.job import QUEUE, Job, State
from clusterlab.errors import InputError
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.spending import Spending
from clusterlab.report.leases import OpenUse, open_uses
from clusterlab.submission.queue import Queue
from clusterlab.submission.table import is_there
from clusterlab.submission.ticket import Ticket

FULL = Decimal(1)
"""Of a cap: the gate then refuses each further launch, and `clusterlab enforce` stops machines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Purse:
    """The budget of a student, a team or the course."""

    scope: Scope
    name: str
    cap_usd: Decimal | None
    """None where nobody set one."""
    held_usd: Decimal
    """Reserved and not free again, or used."""
    spent: Total

    @property
    def share(self) -> Decimal | None:
        """Which part of the cap is spent, at least; None without a cap, or with one of nothing."""
        return self.spent.usd / self.cap_usd if self.cap_usd else None

    @property
    def spent_up(self) -> bool:
        """Whether all of it is gone; of a cap of nothing, whether something was spent."""
        return self.cap_usd is not None and 0 < self.spent.usd >= self.cap_usd * FULL

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "scope": self.scope,
            "name": self.name,
            "cap_usd": None if self.cap_usd is None else f"{self.cap_usd:f}",
            "held_usd": f"{self.held_usd:f}",
            "spent": self.spent.as_json(),
            "share": None if self.share is None else f"{self.share:.4f}",
            "spent_up": self.spent_up,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """What the ledger says of a class."""

    purses: tuple[Purse, ...]
    """The course's, then teams and students, the fullest first."""
    elsewhere: tuple[OpenUse, ...]
    """What is in use and was metered by others than EC2."""
    waiting: tuple[Job, ...] = ()
    """Submissions that are not with Ray yet, in the order in which they would be asked now."""


def read(ledger: Ledger, course: str, names: Mapping[Scope, Iterable[str]], limits: Limits) -> Books:
    """Read it.

    Args:
        ledger: Which.
        course: Whose.
        names: Its students and teams; whoever has used something of this course beside them is shown too.
        limits: What each student may use of the shared cluster, by which the queue has its order.
    """
    waiting = _waiting(ledger, course, limits)
    try:
        found = ledger.statement(course)
    except InputError:
        # Nothing of this course is on record yet.
        return Books(purses=_purses(ledger.spendings(), course, names), elsewhere=(), waiting=waiting)
    used = {
        Scope.STUDENT: {each.student for each in found.intervals if each.student},
        Scope.TEAM: {each.team for each in found.intervals if each.team},
    }
    whose = {scope: {*names.get(scope, ()), *used[scope]} for scope in used}
    others = [each for each in found.intervals if each.source is not Source.EC2]
    return Books(
        purses=_purses(ledger.spendings(), course, whose),
        elsewhere=open_uses(others, found.leases, found.at),
        waiting=waiting,
    )


def _waiting(ledger: Ledger, course: str, limits: Limits) -> tuple[Job, ...]:
    with ledger.database.reading() as connection:
        if not is_there(connection):
            return ()
    _, verdicts = Queue(ledger=ledger, course=course, limits=limits).standing()
    return tuple(_job(each.ticket) for each in verdicts)


def _job(ticket: Ticket) -> Job:
    return Job(
        id=ticket.id,
        where=QUEUE,
        tags={"student": ticket.student, "lab": ticket.lab, "run": ticket.id},
        state=State.WAITING,
        since=ticket.joined,
        gpus=Decimal(0),
        cpus=Decimal(0),
    )


def _purses(spendings: Iterable[Spending], course: str, names: Mapping[Scope, Iterable[str]]) -> tuple[Purse, ...]:
    wanted = {(scope, name) for scope, found in names.items() for name in found} | {(Scope.COURSE, course)}
    found = [_purse(each) for each in spendings if (each.budget.scope, each.budget.name) in wanted]
    if not any(each.scope is Scope.COURSE for each in found):
        found.append(Purse(scope=Scope.COURSE, name=course, cap_usd=None, held_usd=Decimal(0), spent=Total()))
    order = [Scope.COURSE, Scope.TEAM, Scope.STUDENT]

    def fullest(each: Purse) -> tuple[Any, ...]:
        return order.index(each.scope), not each.spent_up, -(each.share or 0), -each.spent.usd, each.name

    return tuple(sorted(found, key=fullest))


def _purse(spending: Spending) -> Purse:
    of = spending.budget
    return Purse(scope=of.scope, name=of.name, cap_usd=of.cap_usd, held_usd=of.held_usd, spent=spending.spent)
