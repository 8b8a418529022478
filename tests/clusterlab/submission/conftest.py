"""A queue on each database, with a clock that the tests turn, and what Ray says there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clusterlab.class_budget import Limits
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.look import Look
from clusterlab.submission.queue import Queue
from clusterlab.submission.ticket import State, Ticket
from tests.clusterlab.ledger.conftest import Clock, clock, postgresql_server, url
from tests.clusterlab.submission.repository import course_repository, reset

__all__ = ["clock", "postgresql_server", "url"]

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def limits(gpus: int | None = None, gpu_hours: int | None = None) -> Limits:
    return Limits(
        gpus=None if gpus is None else Decimal(gpus),
        gpu_hours=None if gpu_hours is None else Decimal(gpu_hours),
        window_days=7,
    )


def ticket(name: str = "t1", student: str = "ana", **changes: Any) -> Ticket:
    """What ana asks for: one GPU for two hours at most."""
    usual: dict[str, Any] = {
        "id": name,
        "course": "llm-2026",
        "student": student,
        "lab": "qlora",
        "fingerprint": "f" * 64,
        "folder": name,
        "gpus": Decimal(1),
        "hours": Decimal(2),
        "due": None,
        "state": State.WAITING,
        "joined": NOON,
        "beat": NOON,
    }
    return Ticket(**usual | changes)


def look(gpus: int, *running: str, over: dict[str, datetime] | None = None, **held: int) -> Look:
    """What Ray says: so many GPUs, these jobs, and what some of them hold."""
    return Look(
        gpus=Decimal(gpus),
        of_gpus=True,
        held={job: Decimal(number) for job, number in held.items()},
        running=frozenset(running) | held.keys(),
        over=over or {},
    )


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class's repository, made once."""
    return course_repository(tmp_path_factory.mktemp("course") / "repository")


@pytest.fixture
def root(course: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """It as the working folder, as it was made, with its own jobs."""
    monkeypatch.chdir(course)
    monkeypatch.setattr(sys, "path", [str(course), *sys.path])
    others = _forget_jobs()
    yield course
    _forget_jobs()
    sys.modules.update(others)
    reset(course)


def _forget_jobs() -> dict[str, ModuleType]:
    """Have jobs read from the repository that is the working folder; those that were known."""
    names = [name for name in sys.modules if name.partition(".")[0] == "jobs"]
    return {name: sys.modules.pop(name) for name in names}


@pytest.fixture
def queue(url: str, clock: Clock) -> Iterator[Queue]:
    """Of a class in which a student may hold one GPU, and eight GPU-hours a week."""
    ledger = Ledger.open(url, begin=True, clock=clock)
    found = Queue(ledger=ledger, course="llm-2026", limits=limits(gpus=1, gpu_hours=8))
    found.begin()
    found.begin()
    yield found
    assert ledger.verify() is None
    ledger.close()
