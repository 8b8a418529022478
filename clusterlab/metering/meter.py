"""Bring the ledger up to what a source saw: use begins, ends, and is settled when a run's last use is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Protocol, TypeVar

from clusterlab.cost.interval import Interval, Source
from clusterlab.errors import InputError
from clusterlab.metering.observation import Observation, Sighting

T = TypeVar("T")
BATCH = 50
"""Uses that are put on record, or runs settled, in one transaction: so short that no launch waits for it."""
SETTLE_AFTER = timedelta(hours=1)
"""How long nothing of a run was used before it is settled: for so long EC2 still shows a terminated machine, and when
it ended."""


class Records(Protocol):
    """The verbs of a ledger that a meter needs."""

    def latest(self, source: Source, resources: Iterable[str]) -> dict[str, Interval]:
        """By resource the use that began last: of those that are named, and of all whose use goes on by that source."""

    def record_all(self, intervals: Sequence[Interval]) -> Sequence[object]:
        """Put use on record, together; an InputError stands in the place of what is refused."""

    def unsettled(self) -> dict[str, list[Interval]]:
        """The runs of which use is on record that they were not settled for, each with all its use."""

    def settle_all(self, runs: Sequence[str]) -> Sequence[object]:
        """Say that runs are over; an InputError stands in the place of one that is not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metered:
    """What an observation changed."""

    source: Source
    begun: tuple[Interval, ...]
    ended: tuple[Interval, ...]
    num_going_on: int
    problems: tuple[str, ...]
    """What could not be seen or recorded; the rest is."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": self.source,
            "begun": [each.as_json() for each in self.begun],
            "ended": [each.as_json() for each in self.ended],
            "num_going_on": self.num_going_on,
            "problems": list(self.problems),
        }


def meter(ledger: Records, observation: Observation) -> Metered:
    """Record what an observation says that the ledger does not say yet.

    A resource that is gone has ended when the source says, else now: what is not known exactly is never counted short,
    and the bill mends it. One that was gone and is there again, its start unchanged, was only not seen: its use has no
    gap. An interval that cannot be recorded is a problem and holds up no other.

    Raises:
        UnreachableError: the ledger does not answer.
    """
    latest = ledger.latest(observation.source, {each.resource_id for each in observation.sightings})
    changes = [change for sighting in observation.sightings for change in _changes(latest, sighting, observation)]
    changes += _vanished(latest.values(), observation)
    # A run's together, whose rows are then read once.
    changes.sort(key=lambda each: each.run or "")
    begun: list[Interval] = []
    ended: list[Interval] = []
    problems = list(observation.problems)
    for interval, answer in _recorded(ledger, changes):
        if isinstance(answer, InputError):
            problems.append(str(answer))
            continue
        (begun if interval.end is None else ended).append(interval)
        if interval.start >= latest.get(interval.resource_id, interval).start:
            latest[interval.resource_id] = interval
    going_on = sum(interval.end is None for interval in latest.values())
    return Metered(
        source=observation.source,
        begun=tuple(begun),
        ended=tuple(ended),
        num_going_on=going_on,
        problems=tuple(problems),
    )


def settle(ledger: Records, now: datetime) -> list[str]:
    """Settle each run whose use has all ended a while ago; those whose prices are not known stay open.

    Returns:
        The runs that are settled now and were not before.
    """
    over = [run for run, intervals in ledger.unsettled().items() if _over(intervals, now)]
    # Of which somebody recorded more meanwhile is not over yet.
    answers = chain.from_iterable(map(ledger.settle_all, batched(over)))
    return [run for run, answer in zip(over, answers, strict=True) if not isinstance(answer, InputError)]


def _recorded(ledger: Records, changes: Sequence[Interval]) -> Iterator[tuple[Interval, object]]:
    for some in batched(changes):
        yield from zip(some, ledger.record_all(some), strict=True)


def batched(of: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one transaction takes."""
    return (of[start : start + BATCH] for start in range(0, len(of), BATCH))


def _over(intervals: Iterable[Interval], now: datetime) -> bool:
    return all(
        each.end is not None and each.price_usd_per_hour is not None and each.end + SETTLE_AFTER <= now
        for each in intervals
    )


def _changes(latest: dict[str, Interval], sighting: Sighting, observation: Observation) -> Iterator[Interval]:
    """What a resource that was seen adds to the record."""
    known, source = latest.get(sighting.resource_id), observation.source
    if known is None:
        start = sighting.start or observation.at
        yield sighting.interval(source, start=start, end=sighting.end)
    elif sighting.start is not None and sighting.start > known.start and sighting.start >= (known.end or known.start):
        # It was used anew. When its last use ended was not seen: at the latest then.
        if known.end is None:
            yield replace(known, end=sighting.start)
        yield sighting.interval(source, start=sighting.start, end=sighting.end)
    elif known.end is None and sighting.start is None and _changed(known, sighting, source):
        yield replace(known, end=observation.at)
        yield sighting.interval(source, start=observation.at, end=None)
    elif known.end is None and sighting.end is not None:
        yield replace(known, end=max(sighting.end, known.start))
    elif known.end is not None and sighting.end is None:
        yield sighting.interval(source, start=known.end, end=None)


def _changed(known: Interval, sighting: Sighting, source: Source) -> bool:
    """Whether it goes on in another shape or at another price: of what is only looked at, another use begins then."""
    return sighting.interval(source, start=known.start, end=None) != known


def _vanished(latest: Iterable[Interval], observation: Observation) -> Iterator[Interval]:
    """What goes on by the record and was not seen where the source looked."""
    seen = {sighting.resource_id for sighting in observation.sightings}
    for known in latest:
        if known.end is None and known.resource_id not in seen and known.region in observation.covered:
            yield replace(known, end=max(observation.at, known.start))
