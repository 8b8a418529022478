"""What the ledger comes to: budgets, and what was held and used by student and lab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from clusterlab.cost.interval import Interval
from clusterlab.cost.total import Total
from clusterlab.ledger.account import intervals, used
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.entry import Entry, Kind, from_micro
from clusterlab.ledger.journal import budget, entry
from clusterlab.ledger.schema import BALANCES, ENTRIES

RESERVED = (Kind.RESERVE, Kind.RELEASE, Kind.EXPIRE)
"""The rows whose sum is what was reserved for launches that happened, or may yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """Of one student in one lab; both are None for what is nobody's."""

    student: str | None
    lab: str | None
    num_runs: int
    reserved_usd: Decimal
    """The estimates of its launches, without those that were released or expired."""
    held_usd: Decimal
    """What it counts against the budgets: reserved and not free again, or used."""
    used: Total
    """What was metered."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "student": self.student,
            "lab": self.lab,
            "num_runs": self.num_runs,
            "reserved_usd": f"{self.reserved_usd:f}",
            "held_usd": f"{self.held_usd:f}",
            "used": self.used.as_json(),
        }


def budgets(connection: Connection) -> list[Budget]:
    """Every budget after its newest row, by scope and name."""
    newest = select(BALANCES.c.scope, BALANCES.c.name, func.max(BALANCES.c.seq).label("seq"))
    latest = newest.group_by(BALANCES.c.scope, BALANCES.c.name).subquery()
    same = and_(*(BALANCES.c[key] == latest.c[key] for key in ("scope", "name", "seq")))
    found = map(budget, connection.execute(select(BALANCES).join(latest, same)))
    return sorted(found, key=lambda each: (list(Scope).index(each.scope), each.name))


def uses(connection: Connection, now: datetime) -> list[Use]:
    """What each student held and used in each lab, until now."""
    columns = (ENTRIES.c.student, ENTRIES.c.lab)
    reserved = case((ENTRIES.c.kind.in_(RESERVED), ENTRIES.c.micro_usd), else_=0)
    sums = select(
        *columns,
        func.count(ENTRIES.c.run.distinct()).label("num_runs"),
        func.sum(reserved).label("reserved"),
        func.sum(ENTRIES.c.micro_usd).label("held"),
    )
    metered = _metered(connection, now)
    found = [
        Use(
            student=row.student,
            lab=row.lab,
            num_runs=row.num_runs,
            reserved_usd=from_micro(int(row.reserved)),
            held_usd=from_micro(int(row.held)),
            used=metered.get((row.student, row.lab), Total()),
        )
        for row in connection.execute(sums.where(ENTRIES.c.kind.not_in([Kind.OPEN, Kind.CAP])).group_by(*columns))
    ]
    return sorted(found, key=lambda each: (each.student is None, each.student or "", each.lab or ""))


def unsettled(connection: Connection) -> list[str]:
    """The runs whose use was recorded after they were settled, or that never were."""
    last = {kind: func.max(case((ENTRIES.c.kind == kind, ENTRIES.c.seq))) for kind in (Kind.INTERVAL, Kind.SETTLE)}
    runs = select(ENTRIES.c.run).where(ENTRIES.c.run.is_not(None)).group_by(ENTRIES.c.run)
    found = runs.having(last[Kind.INTERVAL] > func.coalesce(last[Kind.SETTLE], 0)).order_by(ENTRIES.c.run)
    return list(connection.execute(found).scalars())


def all_intervals(connection: Connection) -> list[Interval]:
    """Each interval as it was last recorded."""
    return intervals(_interval_entries(connection))


def _metered(connection: Connection, now: datetime) -> dict[tuple[str | None, str | None], Total]:
    """The use on record, by student and lab."""
    by_owner: dict[tuple[str | None, str | None], list[Entry]] = {}
    for found in _interval_entries(connection):
        by_owner.setdefault((found.student, found.lab), []).append(found)
    return {owner: used(intervals(entries), now) for owner, entries in by_owner.items()}


def _interval_entries(connection: Connection) -> Iterator[Entry]:
    rows = select(ENTRIES).where(ENTRIES.c.kind == Kind.INTERVAL).order_by(ENTRIES.c.seq)
    return map(entry, connection.execute(rows))
