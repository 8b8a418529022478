"""Small semesters of the repository's own class."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.simulation.course import Course, Size
from clusterlab.simulation.habits import Habits
from clusterlab.simulation.semester import Semester
from tests.clusterlab.conftest import ROOT

Begin = Callable[..., Semester]


def course(num_students: int, num_labs: int, num_weeks: int) -> Course:
    cluster = Cluster.load(ROOT / "clusters" / "llm-2026.yaml")
    return Course.of(cluster, ROOT, Size(num_students=num_students, num_labs=num_labs, num_weeks=num_weeks))


@pytest.fixture
def begin(sky: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begin a semester of 12 students, 2 labs and a week, or of another size."""
    del sky  # which is imported in a home of its own
    for name in ("LEASE_HOURS", "TEAM", "BUCKET", "LEDGER", "ROOT"):
        monkeypatch.delenv(f"CLUSTERLAB_{name}", raising=False)

    def begin(
        size: tuple[int, int, int] = (12, 2, 1),
        *,
        seed: int = 1,
        minutes: int = 30,
        url: str | None = None,
        budget: Any = 1,
        **habits: Any,
    ) -> Semester:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        made = course(*size)
        made = replace(made, student_usd=made.student_usd * budget)
        where = url or f"sqlite:///{folder / 'ledger.db'}"
        return Semester.of(made, url=where, folder=folder, seed=seed, habits=Habits(**habits), minutes=minutes)

    return begin
