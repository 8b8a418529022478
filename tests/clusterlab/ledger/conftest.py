"""A ledger on each database, a clock that the tests turn, and what they reserve and use."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.reservation import Reservation
from tests import postgresql

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
_NUMBERS = itertools.count()


@dataclass
class Clock:
    """An instant that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A real PostgreSQL."""
    programs = postgresql.programs()
    if programs is None:
        pytest.skip(f"needs PostgreSQL: `{postgresql.INSTALL}`")
    with postgresql.server(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is room for a ledger, on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.new_schema(f"ledger_{next(_NUMBERS)}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    """One in which ana may hold 20 USD, the red team 30 and the course 50."""
    ledger = Ledger.open(url, begin=True, clock=clock)
    for scope, name, usd in ((Scope.STUDENT, "ana", 20), (Scope.TEAM, "red", 30), (Scope.COURSE, "llm-2026", 50)):
        ledger.set_cap(scope, name, Decimal(usd))
    yield ledger
    assert ledger.verify() is None
    ledger.close()


def asked(usd: object = 5, **changes: Any) -> Reservation:
    """What ana of the red team asks for."""
    usual: dict[str, Any] = {
        "student": "ana",
        "team": "red",
        "course": "llm-2026",
        "lab": "qlora",
        "run": "r1",
        "usd": Decimal(str(usd)),
        "expires": NOON + timedelta(hours=12),
    }
    return Reservation(**usual | changes)


def use(hours: object = 2, **changes: Any) -> Interval:
    """A machine of ana's at 1 USD an hour since noon; one that goes on with `hours=None`."""
    usual: dict[str, Any] = {
        "resource_id": "i-1",
        "kind": Kind.COMPUTE,
        "student": "ana",
        "team": "red",
        "course": "llm-2026",
        "lab": "qlora",
        "run": "r1",
        "start": NOON,
        "end": None if hours is None else NOON + timedelta(hours=float(str(hours))),
        "shape": "g6.xlarge",
        "region": "us-east-1",
        "price_usd_per_hour": Decimal(1),
        "price_as_of": date(2026, 9, 6),
        "source": Source.EC2,
    }
    return Interval(**usual | changes)


def held(ledger: Ledger, name: str = "ana") -> Decimal:
    """What a student, team or course holds."""
    return next((each.held_usd for each in ledger.budgets() if each.name == name), Decimal(0))
