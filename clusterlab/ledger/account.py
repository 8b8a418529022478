"""What a run has on the ledger: how far it came, what it holds and what it used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro
from clusterlab.cost.total import Total
from clusterlab.ledger.entry import Entry, Kind, instant, to_micro_usd

NUM_READ = 10_000
"""Intervals that are remembered as they were read: an open run's rows are read again and again, and never change."""
STATES = (Kind.RESERVE, Kind.COMMIT, Kind.SETTLE, Kind.RELEASE, Kind.EXPIRE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The rows of one run, in order."""

    entries: tuple[Entry, ...]

    @property
    def state(self) -> Kind | None:
        """What happened last to what it reserved; None where it reserved nothing."""
        return next((entry.kind for entry in reversed(self.entries) if entry.kind in STATES), None)

    @property
    def reservation(self) -> Entry | None:
        """Its newest reservation."""
        return next((entry for entry in reversed(self.entries) if entry.kind is Kind.RESERVE), None)

    @property
    def held_micro_usd(self) -> int:
        """What it counts against its budgets."""
        return sum(entry.micro_usd for entry in self.entries)

    @property
    def intervals(self) -> list[Interval]:
        """Each interval as it was last recorded."""
        return intervals(self.entries)

    @property
    def open_because(self) -> str:
        """Why what it used is not final: something goes on, or has no known price; empty where it is final."""
        going_on = [each.resource_id for each in self.intervals if each.end is None]
        unknown = [each.resource_id for each in self.intervals if each.price_usd_per_hour is None]
        faults = [f"{', '.join(going_on)} goes on"] if going_on else []
        faults += [f"the price of {', '.join(unknown)} is not known"] if unknown else []
        return "; ".join(faults)

    @property
    def final_micro_usd(self) -> int:
        """What it used in all, once that is final."""
        return to_micro_usd(used(self.intervals, max(each.end for each in self.intervals if each.end)).usd)

    def overrun_micro_usd(self, interval: Interval, now: datetime) -> int:
        """By how much its use until now, with one interval more or ended, is above what it holds."""
        same = (interval.resource_id, interval.start)
        others = [each for each in self.intervals if (each.resource_id, each.start) != same]
        return max(0, to_micro_usd(used([*others, interval], now).usd) - self.held_micro_usd)


def interval_key(interval: Interval) -> str:
    """Which interval it is: no resource begins twice at one instant."""
    return f"{interval.resource_id} {instant(interval.start)}"


def intervals(entries: Iterable[Entry]) -> list[Interval]:
    """Each interval as the last row of it says."""
    details = {entry.interval: entry.detail for entry in entries if entry.kind is Kind.INTERVAL}
    return [interval_of(detail) for detail in details.values()]


@lru_cache(maxsize=NUM_READ)
def interval_of(detail: str) -> Interval:
    """The interval that a row's detail says."""
    return Interval.from_json(json.loads(detail))


def used(of: Iterable[Interval], now: datetime) -> Total:
    """What intervals cost until now, each to the micro-dollar."""
    costs = (each.usd(now) for each in of)
    return Total.of(None if usd is None else to_micro(usd) for usd in costs)
