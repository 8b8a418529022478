"""What the ledger comes to: budgets, and what was held and used by student and lab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from clusterlab.cost.interval import Interval
from clusterlab.cost.total import Total
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import used
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.entry import Kind, from_micro
from clusterlab.ledger.journal import budget
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A ledger as it was at one instant, of one course and of what is nobody's."""

    at: datetime
    course: str | None
    """None where the ledger knows of no course yet."""
    budgets: tuple[Budget, ...] = ()
    """Of all courses: a team's or a student's budget does not say of which."""
    uses: tuple[Use, ...] = ()
    intervals: tuple[Interval, ...] = ()
    """Each as it was last recorded."""
    leases: Mapping[str, datetime] = field(default_factory=dict)
    """Until when the reservation of each run holds that is in use."""


def statement(connection: Connection, now: datetime, course: str | None) -> Statement:
    """All that a report of a course is made of; of the one course that there is where none is named.

    Raises:
        InputError: the ledger does not know the course, or it knows several and none is named.
    """
    known, found = _courses(connection), all_intervals(connection)
    if course not in known and (course is not None or len(known) > 1):
        allowed = ", ".join(known) or "none yet, nothing is on record"
        message = f"the ledger does not know {course}" if course else "the ledger has several"
        raise InputError(Problem(path="--course", message=f"{message}; allowed: {allowed}"))
    chosen = course or next(iter(known), None)
    of_course = [each for each in found if each.course in (chosen, None)]
    return Statement(
        at=now,
        course=chosen,
        budgets=tuple(budgets(connection)),
        uses=tuple(_uses(connection, of_course, now, course=chosen)),
        intervals=tuple(of_course),
        leases=_leases(connection, {each.run for each in of_course if each.end is None and each.run}),
    )


def budgets(connection: Connection) -> list[Budget]:
    """Every budget after its newest row, by scope and name."""
    newest = select(BALANCES.c.scope, BALANCES.c.name, func.max(BALANCES.c.seq).label("seq"))
    latest = newest.group_by(BALANCES.c.scope, BALANCES.c.name).subquery()
    same = and_(*(BALANCES.c[key] == latest.c[key] for key in ("scope", "name", "seq")))
    found = map(budget, connection.execute(select(BALANCES).join(latest, same)))
    return sorted(found, key=lambda each: (list(Scope).index(each.scope), each.name))


def uses(connection: Connection, now: datetime) -> list[Use]:
    """What each student held and used in each lab, until now."""
    return _uses(connection, all_intervals(connection), now)


def all_intervals(connection: Connection) -> list[Interval]:
    """Each interval as it was last recorded."""
    # A course's report reads tens of thousands of them: no more columns, and no more objects, than it needs.
    rows = select(ENTRIES.c.interval, ENTRIES.c.detail).where(ENTRIES.c.kind == Kind.INTERVAL).order_by(ENTRIES.c.seq)
    details = {row.interval: row.detail for row in connection.execute(rows)}
    return [Interval.from_json(json.loads(detail)) for detail in details.values()]


def _uses(
    connection: Connection, metered: Iterable[Interval], now: datetime, *, course: str | None = None
) -> list[Use]:
    """By student and lab, of all courses or of one and of what is nobody's; `metered` are the intervals of the same."""
    columns = (ENTRIES.c.student, ENTRIES.c.lab)
    reserved = case((ENTRIES.c.kind.in_(RESERVED), ENTRIES.c.micro_usd), else_=0)
    sums = select(
        *columns,
        func.count(ENTRIES.c.run.distinct()).label("num_runs"),
        func.sum(reserved).label("reserved"),
        func.sum(ENTRIES.c.micro_usd).label("held"),
    )
    sums = sums.where(ENTRIES.c.kind.not_in([Kind.OPEN, Kind.CAP, Kind.CLOSE])).group_by(*columns)
    if course is not None:
        sums = sums.where(or_(ENTRIES.c.course == course, ENTRIES.c.course.is_(None)))
    by_owner: dict[tuple[str | None, str | None], list[Interval]] = {}
    for each in metered:
        by_owner.setdefault((each.student, each.lab), []).append(each)
    found = [
        Use(
            student=row.student,
            lab=row.lab,
            num_runs=row.num_runs,
            reserved_usd=from_micro(int(row.reserved)),
            held_usd=from_micro(int(row.held)),
            used=used(by_owner.get((row.student, row.lab), ()), now),
        )
        for row in connection.execute(sums)
    ]
    return sorted(found, key=lambda each: (each.student is None, each.student or "", each.lab or ""))


def _courses(connection: Connection) -> list[str]:
    """Every course that has a row."""
    named = select(ENTRIES.c.course).distinct().where(ENTRIES.c.course.is_not(None))
    return sorted(connection.execute(named).scalars())


def _leases(connection: Connection, runs: set[str]) -> dict[str, datetime]:
    """Until when the newest reservation of each run holds; a run that has none is left out."""
    if not runs:
        return {}
    rows = select(ENTRIES.c.run, ENTRIES.c.expires).where(ENTRIES.c.kind == Kind.RESERVE).order_by(ENTRIES.c.seq)
    return {row.run: datetime.fromisoformat(row.expires) for row in connection.execute(rows) if row.run in runs}
