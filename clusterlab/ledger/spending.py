"""What of a budget is spent until now: what it holds, without what its launches reserved and have not used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, select

from clusterlab.cost.interval import OWNERS, Interval
from clusterlab.cost.total import Total
from clusterlab.ledger.account import interval_key, used
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro, to_micro_usd
from clusterlab.ledger.journal import Journal
from clusterlab.ledger.schema import ENTRIES
from clusterlab.ledger.statement import budgets

OPENING = (Kind.RESERVE, Kind.COMMIT, Kind.INTERVAL)
"""The rows after which a run is to be settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """A budget, and what of it is spent."""

    budget: Budget
    spent: Total
    """What settled runs hold, and what the others used until now; incomplete where a price of these is not known."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return self.budget.as_json() | {"spent": self.spent.as_json()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """A run that is not settled, or a use that belongs to no run."""

    names: dict[Scope, str | None]
    held_micro_usd: int
    intervals: tuple[Interval, ...]

    def used(self, now: datetime) -> Total:
        return used(self.intervals, now)


def spendings(connection: Connection, now: datetime) -> list[Spending]:
    """What is spent of every budget that has a cap or holds something, students first."""
    unused: dict[tuple[Scope, str], Total] = {}
    for each in _open(connection):
        total = each.used(now)
        rest = Total(usd=from_micro(each.held_micro_usd) - total.usd, num_unknown=total.num_unknown)
        for scope, name in each.names.items():
            if name is not None:
                unused[scope, name] = unused.get((scope, name), Total()) + rest
    return [_spending(each, unused.get((each.scope, each.name), Total())) for each in budgets(connection)]


def accrue(journal: Journal) -> list[Entry]:
    """Hold what is in use now beyond what its run holds; the rows that are added, one a run."""
    added = []
    for each in _open(journal.connection):
        going_on = [interval for interval in each.intervals if interval.end is None]
        overrun = to_micro_usd(each.used(journal.at).usd) - each.held_micro_usd
        if going_on and overrun > 0:
            last = going_on[-1]
            owner = Owner(**{name: getattr(last, name) for name in OWNERS})
            key = interval_key(last)
            added.append(journal.append(Kind.INTERVAL, owner, micro_usd=overrun, interval=key, detail=last.as_json()))
    return added


def _spending(budget: Budget, unused: Total) -> Spending:
    usd = max(Decimal(0), budget.held_usd - unused.usd)
    return Spending(budget=budget, spent=Total(usd=usd, num_unknown=unused.num_unknown))


def _open(connection: Connection) -> Iterator[_Open]:
    key = func.coalesce(ENTRIES.c.run, ENTRIES.c.interval)
    opened = func.max(case((ENTRIES.c.kind.in_(OPENING), ENTRIES.c.seq)))
    settled = func.max(case((ENTRIES.c.kind == Kind.SETTLE, ENTRIES.c.seq)))
    names = [func.min(ENTRIES.c[scope.value]).label(scope.value) for scope in Scope]
    rows = select(key.label("key"), func.sum(ENTRIES.c.micro_usd).label("held"), *names).where(key.is_not(None))
    rows = rows.group_by(key).having(opened > func.coalesce(settled, 0)).order_by(key)
    opens = connection.execute(rows).all()
    found = _intervals(connection, {row.key for row in opens})
    for row in opens:
        yield _Open(
            names={scope: getattr(row, scope.value) for scope in Scope},
            held_micro_usd=int(row.held),
            intervals=tuple(found.get(row.key, ())),
        )


def _intervals(connection: Connection, keys: set[str]) -> dict[str, list[Interval]]:
    """By run, or by itself, each interval as it was last recorded; only those are read, of which a course has few."""
    key = func.coalesce(ENTRIES.c.run, ENTRIES.c.interval).label("key")
    rows = select(key, ENTRIES.c.interval, ENTRIES.c.detail).where(ENTRIES.c.kind == Kind.INTERVAL)
    details = {
        row.interval: (row.key, row.detail)
        for row in connection.execute(rows.order_by(ENTRIES.c.seq))
        if row.key in keys
    }
    found: dict[str, list[Interval]] = {}
    for owner, detail in details.values():
        found.setdefault(owner, []).append(Interval.from_json(json.loads(detail)))
    return found
