"""The ledger's rows, added up a second time and held against the caps and against the cloud's own bill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro
from clusterlab.ledger.entry import Kind, to_micro_usd
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.schema import ENTRIES
from clusterlab.simulation.invariant import Invariant, ViolationError
from clusterlab.simulation.machine import Use

SCOPES = ("student", "team", "course")
MICRO = 1_000_000
SECOND = timedelta(seconds=1)

_NAMES = ("seq", "kind", "student", "team", "course", "run", "interval", "micro_usd", "detail")
_ROWS = select(*(ENTRIES.c[name] for name in _NAMES)).where(ENTRIES.c.seq > bindparam("seq")).order_by(ENTRIES.c.seq)


@dataclass(kw_only=True, slots=True)
class Run:
    """One that is not settled, in micro-dollars."""

    held: int = 0
    used: dict[str, int] = field(default_factory=dict)
    """By interval, of those that ended."""
    reserved: bool = False


@dataclass(kw_only=True)
class Audit:
    """What the rows come to, each read once and added up apart from the ledger's own balances."""

    ledger: Ledger
    uses: dict[tuple[str, datetime], Use]
    """The cloud's bill; what is on record with its end is taken out."""
    caps: Mapping[tuple[str, str], int]
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    going_on: set[tuple[str, datetime]] = field(default_factory=set)
    """Uses that are on record without an end."""
    reserved: int = 0
    """Of all launches that came to something, in micro-dollars."""
    metered: int = 0
    """Of all uses that ended."""
    billed: Decimal = Decimal(0)
    """Of the same uses, by the cloud's own bill."""
    seq: int = 0

    def follow(self, now: datetime, skew: timedelta = timedelta()) -> None:
        """Read the rows that are new.

        Args:
            now: By the cloud's clock.
            skew: By how much the server's is wrong, and with it the end of what nobody saw end.

        Raises:
            ViolationError: one of them breaks an invariant.
        """
        with self.ledger.database.reading() as connection:
            for row in connection.execute(_ROWS, {"seq": self.seq}):
                self._add(row, now, abs(skew) + SECOND)
                self.seq = row.seq

    def cap_usd(self, key: tuple[str, str]) -> Decimal:
        """What a student, a team or the course may hold, in dollars."""
        return Decimal(self.caps[key]) / MICRO

    def check_balances(self) -> None:
        """Hold the ledger's own balances against the sums.

        Raises:
            ViolationError: they differ.
        """
        balances = {(each.scope.value, each.name): int(each.held_usd * MICRO) for each in self.ledger.budgets()}
        wrong = {key for key in self.held | balances if self.held.get(key, 0) != balances.get(key, 0)}
        if wrong:
            raise ViolationError(Invariant.SUMS, f"the balance of {min(wrong)} is not that of its rows")

    def close(self) -> None:
        """Look, when all is over, whether every run came to what it used.

        Raises:
            ViolationError: something is not settled, more or less is held than used, or a row is not as it was written.
        """
        open_runs = [run for run, each in self.runs.items() if each.held or each.used]
        if open_runs:
            raise ViolationError(Invariant.SUMS, f"{len(open_runs)} runs are not settled, such as {open_runs[0]}")
        of_course = sum(held for (scope, _), held in self.held.items() if scope == "course")
        if of_course != self.metered:
            raise ViolationError(Invariant.SUMS, f"{of_course} micro-dollars are held, {self.metered} were used")
        fault = self.ledger.verify()
        if fault:
            raise ViolationError(Invariant.SUMS, str(fault))

    def _add(self, row: Any, now: datetime, about: timedelta) -> None:
        for scope in SCOPES:
            name = getattr(row, scope)
            if name is not None and row.micro_usd:
                self.held[scope, name] = self.held.get((scope, name), 0) + row.micro_usd
        if row.run is None:
            return
        run = self.runs.setdefault(row.run, Run())
        run.held += row.micro_usd
        if row.kind == Kind.RESERVE:
            run.reserved = True
            self._covered(row)
        if row.kind in (Kind.RESERVE, Kind.RELEASE, Kind.EXPIRE):
            self.reserved += row.micro_usd
        elif row.kind == Kind.INTERVAL:
            self._metered(row, run, now, about)
        elif row.kind == Kind.SETTLE:
            self._settled(row.run, run)
        if not run.held and not run.used:
            del self.runs[row.run]

    def _covered(self, row: Any) -> None:
        for scope in SCOPES:
            key = (scope, getattr(row, scope))
            cap = self.caps.get(key)
            if cap is not None and self.held[key] > cap:
                what = f"run {row.run}: {scope} {key[1]} holds {self.held[key] / MICRO:.2f} of {cap / MICRO:.2f} USD"
                raise ViolationError(Invariant.BUDGET, what)

    def _metered(self, row: Any, run: Run, now: datetime, about: timedelta) -> None:
        interval = Interval.from_json(json.loads(row.detail))
        key = (interval.resource_id, interval.start)
        if interval.end is None:
            self.going_on.add(key)
            return
        self.going_on.discard(key)
        use = self.uses.pop(key, None)
        if use is None or use.end is None or use.usd_per_hour != interval.price_usd_per_hour:
            raise ViolationError(Invariant.METERED, f"{row.interval}: the cloud's bill has no such use that ended")
        if not use.end - about <= interval.end <= now + about:
            what = f"{row.interval}: on record until {interval.end}, and it ended at {use.end}"
            raise ViolationError(Invariant.METERED, what)
        run.used[row.interval] = to_micro_usd(to_micro(interval.usd(now) or Decimal(0)))
        self.metered += run.used[row.interval]
        self.billed += use.usd(interval.start, now)

    def _settled(self, name: str, run: Run) -> None:
        if run.held != sum(run.used.values()):
            what = f"run {name} holds {run.held} micro-dollars, its intervals come to {sum(run.used.values())}"
            raise ViolationError(Invariant.SUMS, what)
        run.held, run.used = 0, {}
