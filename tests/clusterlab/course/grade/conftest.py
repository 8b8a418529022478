from __future__ import annotations

from pathlib import Path

import pytest

from tests.clusterlab.course.grade.records import CLASS, RUNS


@pytest.fixture(autouse=True)
def _a_class(house: Path) -> None:
    """A class that has one lab, `toy`, with nothing handed in."""
    (house / "images").mkdir()
    (house / "images" / "train.lock").write_text("torch==2\n")
    (house / "clusters" / "llm-2026.yaml").write_text(CLASS)
    RUNS.mkdir()
