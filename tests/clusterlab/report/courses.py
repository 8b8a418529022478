"""Courses that the tests make: facts, and the ledgers that they are read from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.ledger.account import used
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.statement import Use
from clusterlab.report.facts import Facts, Finding, Outcome, Sweep

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def use(number: int = 1, usd: object = 1, **changes: Any) -> Interval:
    """An hour of ana's before noon in `qlora`, for so many dollars; None for a price that nobody knows."""
    usual: dict[str, Any] = {
        "resource_id": f"i-{number}",
        "kind": Kind.COMPUTE,
        "student": "ana",
        "team": "red",
        "course": "llm-2026",
        "lab": "qlora",
        "run": f"r{number}",
        "start": NOON - timedelta(hours=1),
        "end": NOON,
        "shape": "g6.xlarge",
        "region": "us-east-1",
        "price_usd_per_hour": None if usd is None else Decimal(str(usd)),
        "price_as_of": date(2026, 9, 6),
        "source": Source.EC2,
    }
    return Interval(**usual | changes)


def facts_of(intervals: Iterable[Interval], **changes: Any) -> Facts:
    """What the ledger tells of these uses, each reserved for 2 USD by a launch of its own."""
    given = tuple(intervals)
    owners = {
        (each.student, each.lab): [of for of in given if (of.student, of.lab) == (each.student, each.lab)]
        for each in given
    }
    uses = [
        Use(
            student=student,
            lab=lab,
            num_runs=len(of),
            reserved_usd=Decimal(2 * len(of)),
            held_usd=Decimal(2 * len(of)),
            used=used(of, NOON),
        )
        for (student, lab), of in owners.items()
    ]
    usual: dict[str, Any] = {"at": NOON, "course": "llm-2026", "uses": tuple(uses), "intervals": given}
    return Facts(**usual | changes)


def course(students: Iterable[str], labs: Iterable[str], **changes: Any) -> Facts:
    """A course of four weeks: each student in each lab, of which the first spends far more in the first."""
    names, rooms = list(students), list(labs)
    intervals, outcomes = [], []
    for i, student in enumerate(names):
        for j, lab in enumerate(rooms):
            number = i * len(rooms) + j
            start = NOON - timedelta(days=28 - (7 * j + i) % 28, hours=3)
            usd = Decimal(25 if i == j == 0 else 1) + Decimal(number * 37 % 50) / 20 + Decimal(number % 7) / 100
            who: dict[str, Any] = {"student": student, "lab": lab, "run": f"{student[:50]}-{number}", "start": start}
            intervals.append(use(number, usd, **who, end=start + timedelta(hours=1)))
            disk = {"kind": Kind.DISK, "shape": "gp3-100", "resource_id": f"vol-{number}"}
            intervals.append(use(number, "0.011", **who, end=start + timedelta(hours=2), **disk))
            outcomes.append(outcome(student, lab, number))
    intervals.append(use(90001, "0.50", student=names[0], lab=rooms[0], run=f"{names[0]}-open", end=None))
    intervals.append(use(90002, "1.50", student=None, team=None, course=None, lab=None, run=None, end=None))
    intervals.append(use(90003, None, student=names[-1], lab=rooms[-1], run=f"{names[-1][:50]}-dear"))
    usual: dict[str, Any] = {
        "budgets": (
            Budget(scope=Scope.STUDENT, name=names[0], cap_usd=Decimal(40), held_usd=Decimal(31)),
            Budget(scope=Scope.TEAM, name="red", cap_usd=Decimal(400), held_usd=Decimal(100)),
            Budget(scope=Scope.COURSE, name="llm-2026", cap_usd=Decimal(200), held_usd=Decimal("120.5")),
        ),
        "leases": {f"{names[0]}-open": NOON - timedelta(minutes=5)},
        "outcomes": tuple(outcomes),
        "sweep": sweep(names[0]),
    }
    return facts_of(intervals, **usual | changes)


def outcome(student: str | None, lab: str, number: int, **changes: Any) -> Outcome:
    """A run; every fifth fails."""
    failed = number % 5 == 4
    usual: dict[str, Any] = {
        "student": student,
        "lab": lab,
        "run": f"{student}-{number}",
        "scale": "single",
        "status": "succeeded",
        "verdict": "FAIL" if failed else "PASS",
        "started": "2026-11-20T09:00:00+00:00",
        "failing": ("loss 1.25, expected 0.9 to 1.1",) if failed else (),
    }
    return Outcome(**usual | changes)


def sweep(student: str) -> Sweep:
    """One that left a machine."""
    usual: dict[str, Any] = {
        "kind": "instance",
        "region": "us-west-2",
        "shape": "g6.xlarge",
        "student": student,
        "lab": "qlora",
        "lease_until": NOON - timedelta(hours=2),
    }
    findings = (
        Finding(id=f"i-{student}", step="stop", left=True, **usual),
        Finding(id="i-leased", step="in its lease", left=False, **usual),
    )
    return Sweep(ended=NOON, proven=False, num_not_scanned=1, findings=findings)
