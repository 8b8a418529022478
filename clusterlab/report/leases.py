"""What is in use now, and until when it may be: by the ledger, where a run's lease is that of its reservation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro


class State(StrEnum):
    """How a use stands to its lease."""

    NOBODYS = "nobody's"
    """It carries no student: nobody will end it."""
    OVER = "over its lease"
    UNKNOWN = "no lease on record"
    """Nobody reserved it through the gate."""
    LEASED = "in its lease"


LEAKS = (State.NOBODYS, State.OVER)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenUse:
    """A resource that is in use, as far as it was metered."""

    interval: Interval
    state: State
    lease_until: datetime | None
    usd: Decimal | None
    """So far; None where its price is not known."""
    hours: Decimal

    @property
    def leak(self) -> bool:
        """Whether it is billed though it should not be there."""
        return self.state in LEAKS

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("resource_id", "kind", "student", "lab", "run", "shape", "region", "source")
        return {name: getattr(self.interval, name) for name in names} | {
            "since": self.interval.start.isoformat(),
            "lease_until": self.lease_until.isoformat() if self.lease_until else None,
            "state": self.state,
            "leak": self.leak,
            "hours": f"{self.hours:.2f}",
            "usd": None if self.usd is None else f"{self.usd:f}",
        }


def open_uses(intervals: Iterable[Interval], leases: Mapping[str, datetime], now: datetime) -> tuple[OpenUse, ...]:
    """What goes on, leaks first, the dearest first; what has no known price before all that has."""
    found = [_open(each, leases, now) for each in intervals if each.end is None]
    order = list(State)
    return tuple(
        sorted(found, key=lambda each: (order.index(each.state), each.usd is not None, -(each.usd or 0), _name(each)))
    )


def _open(interval: Interval, leases: Mapping[str, datetime], now: datetime) -> OpenUse:
    until, usd = leases.get(interval.run or ""), interval.usd(now)
    if interval.student is None:
        state = State.NOBODYS
    elif until is None:
        state = State.UNKNOWN
    else:
        state = State.OVER if until <= now else State.LEASED
    return OpenUse(
        interval=interval,
        state=state,
        lease_until=until,
        usd=None if usd is None else to_micro(usd),
        hours=interval.hours(now),
    )


def _name(of: OpenUse) -> str:
    return of.interval.resource_id
