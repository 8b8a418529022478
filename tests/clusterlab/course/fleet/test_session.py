"""When machines are to be warm, by a class's hours, holidays and time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlab.cluster import Cluster
from clusterlab.course.fleet.session import next_session, session_at
from tests.clusterlab.conftest import spoil


@pytest.fixture
def cluster(class_file: Path) -> Cluster:
    """Tuesdays from 10 to 12 in Madrid, warm 20 minutes before."""
    return Cluster.load(class_file)


def at(day: str, time: str) -> datetime:
    return datetime.fromisoformat(f"2026-{day}T{time}:00").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "time", "warm"),
    [
        ("10-06", "07:39", False),
        ("10-06", "07:40", True),
        ("10-06", "09:59", True),
        ("10-06", "10:00", False),
        # A holiday, another day of the week, before the first day and after the last.
        ("10-13", "08:30", False),
        ("10-07", "08:30", False),
        ("08-25", "08:30", False),
        ("12-22", "09:30", False),
        # Madrid is one hour nearer to UTC in winter.
        ("10-27", "08:39", False),
        ("10-27", "08:40", True),
    ],
)
def test_machines_are_warm_from_so_long_before_the_hours_until_their_end(
    cluster: Cluster, day: str, time: str, warm: bool
) -> None:
    assert (session_at(cluster, at(day, time)) is not None) is warm


def test_one_that_begins_at_midnight_is_warm_the_day_before(class_file: Path) -> None:
    spoil(class_file, "tue 10:00-12:00", "tue 00:00-02:00")
    cluster = Cluster.load(class_file)
    session = session_at(cluster, at("10-05", "21:45"))
    assert session
    assert session.start == at("10-05", "22:00")


def test_the_next_one_is_after_the_holiday_and_after_the_last_there_is_none(cluster: Cluster) -> None:
    coming = next_session(cluster, at("10-06", "10:00"))
    assert str(coming) == "2026-10-20 08:00-10:00 UTC"
    assert next_session(cluster, at("12-15", "12:00")) is None


def test_a_class_without_hours_never_meets(class_file: Path) -> None:
    spoil(class_file, 'hours: ["tue 10:00-12:00"]', "")
    spoil(class_file, "warm_minutes: 20", "")
    cluster = Cluster.load(class_file)
    assert session_at(cluster, at("10-06", "08:30")) is None
    assert next_session(cluster, at("10-06", "08:30")) is None
