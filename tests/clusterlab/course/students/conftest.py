from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusterlab.course.students.fake_skypilot import FakeSkyPilot, running
from tests.clusterlab.course.students.house import House


@pytest.fixture(autouse=True)
def _no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTERLAB_LEDGER", raising=False)
    monkeypatch.delenv("CLUSTERLAB_LEASE_HOURS", raising=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(root=tmp_path / "house")


@pytest.fixture
def skypilot() -> Iterator[FakeSkyPilot]:
    with running() as fake:
        yield fake
