"""What of a class needs somebody: a lease that is past, a budget that is spent, a place that nobody could look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from clusterlab.cost.total import Total
from clusterlab.course.status.gpu import Gpu
from clusterlab.course.status.gpu import State as GpuState
from clusterlab.course.status.part import Part
from clusterlab.report.leases import State as LeaseState

if TYPE_CHECKING:
    from clusterlab.course.status.machine import Holding
    from clusterlab.course.status.spend import Books


class Kind(StrEnum):
    """Why somebody is needed."""

    LEASE = "lease past"
    BUDGET = "budget spent"
    BLIND = "could not be looked at"
    IDLE = "idle GPU"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing."""

    kind: Kind
    what: str
    """Such as a cluster's name, `student ana`, or the place that nobody could look at."""
    whose: str | None = None
    since: datetime | None = None
    """When the lease ended, or since when it is idle."""
    usd_per_hour: Total | None = None
    share: Decimal | None = None
    """Of the budget, that is spent."""
    why: str = ""
    """Why it could not be looked at."""
    num: int = 1

    @property
    def serious(self) -> bool:
        """Whether `--strict` fails for it: an idle GPU costs money, and is no fault."""
        return self.kind is not Kind.IDLE

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": self.kind,
            "serious": self.serious,
            "what": self.what,
            "whose": self.whose,
            "since": self.since.isoformat() if self.since else None,
            "usd_per_hour": self.usd_per_hour and self.usd_per_hour.as_json(),
            "share": None if self.share is None else f"{self.share:.4f}",
            "why": self.why,
            "num": self.num,
        }


def needs(
    parts: Iterable[Part[Any]], leases: Sequence[Holding], books: Books | None, gpus: Sequence[Gpu]
) -> list[Need]:
    """All that needs somebody: first what nobody could look at, since the rest is then not all."""
    return [*_blind(parts), *_past(leases), *_past_elsewhere(books), *_spent(books), *_idle(gpus)]


def _blind(parts: Iterable[Part[Any]]) -> Iterator[Need]:
    for part in parts:
        for problem in part.problems if part.blind else ():
            yield Need(kind=Kind.BLIND, what=part.name, why=problem)


def _past(leases: Sequence[Holding]) -> Iterator[Need]:
    """A line for each cluster, with all that it has."""
    clusters: dict[str, list[Holding]] = {}
    for each in leases:
        if each.past:
            clusters.setdefault(each.cluster, []).append(each)
    for name, found in clusters.items():
        machines = [each for each in found if each.is_machine]
        yield Need(
            kind=Kind.LEASE,
            what=name,
            whose=found[0].student,
            since=min(each.lease.until for each in found),
            usd_per_hour=Total.of(each.usd_per_hour for each in machines) if machines else None,
            num=len(found),
        )


def _past_elsewhere(books: Books | None) -> Iterator[Need]:
    for each in books.elsewhere if books else ():
        if each.state is LeaseState.OVER:
            of = each.interval
            yield Need(
                kind=Kind.LEASE,
                what=of.resource_id,
                whose=of.student,
                since=each.lease_until,
                usd_per_hour=Total.of([of.price_usd_per_hour]),
            )


def _spent(books: Books | None) -> Iterator[Need]:
    for each in books.purses if books else ():
        if each.spent_up:
            yield Need(kind=Kind.BUDGET, what=f"{each.scope} {each.name}", whose=each.name, share=each.share)


def _idle(gpus: Sequence[Gpu]) -> Iterator[Need]:
    """A line for each machine."""
    machines: dict[str, list[Gpu]] = {}
    for each in gpus:
        if each.state is GpuState.IDLE:
            machines.setdefault(each.machine, []).append(each)
    for name, found in machines.items():
        students = sorted({student for each in found for student in each.students})
        yield Need(
            kind=Kind.IDLE,
            what=name,
            whose=", ".join(students) or None,
            since=min(each.low.since for each in found if each.low),
            usd_per_hour=Total.of(each.usd_per_hour for each in found),
            num=len(found),
        )
