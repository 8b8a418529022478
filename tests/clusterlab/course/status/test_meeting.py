from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlab.cluster import Cluster
from clusterlab.course.status.meeting import Calendar, Meeting
from tests.clusterlab.course.status.conftest import CLASS


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    path = tmp_path / "llm-2026.yaml"
    path.write_text(f"{CLASS}\nholidays: [2026-10-13, {{start: 2026-12-07, end: 2026-12-08}}]\n")
    return Cluster.load(path)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(meeting: Meeting | None) -> str:
    return f"{meeting.start:%m-%d %H:%M}-{meeting.end:%H:%M}" if meeting else ""


@pytest.mark.parametrize(
    ("at", "now", "later"),
    [
        ("2026-11-24T08:59", "", "11-24 09:00-13:00"),
        ("2026-11-24T09:00", "11-24 09:00-13:00", "11-26 09:00-11:00"),
        ("2026-11-24T13:00", "", "11-26 09:00-11:00"),
        # Clocks go back on 25 October.
        ("2026-10-22T08:30", "10-22 08:00-10:00", "10-27 09:00-13:00"),
        ("2026-10-12T12:00", "", "10-15 08:00-10:00"),
        ("2026-12-06T12:00", "", "12-10 09:00-11:00"),
        ("2026-01-01T00:00", "", "09-01 08:00-12:00"),
        ("2026-12-17T10:00", "12-17 09:00-11:00", ""),
        ("2027-02-01T10:00", "", ""),
    ],
)
def test_the_class_meets_now_and_next(cluster: Cluster, at: str, now: str, later: str) -> None:
    found = Calendar.of(cluster, utc(at))
    assert (shown(found.now), shown(found.next)) == (now, later)
