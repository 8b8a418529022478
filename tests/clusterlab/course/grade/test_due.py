from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.course.grade.due import end_of, instant, late_hours, lateness

ENDS = {
    "summer": ("Europe/Madrid", date(2026, 10, 6), "2026-10-06T22:00:00+00:00"),
    "winter": ("Europe/Madrid", date(2026, 12, 1), "2026-12-01T23:00:00+00:00"),
    "the day on which clocks go back": ("Europe/Madrid", date(2026, 10, 25), "2026-10-25T23:00:00+00:00"),
    "midnight is skipped": ("Africa/Cairo", date(2026, 4, 23), "2026-04-23T22:00:00+00:00"),
    "midnight is there twice": ("America/Havana", date(2026, 10, 31), "2026-11-01T04:00:00+00:00"),
    "no zone": (None, date(2026, 10, 6), "2026-10-07T00:00:00+00:00"),
}


@pytest.mark.parametrize(("zone", "day", "end"), ENDS.values(), ids=ENDS.keys())
def test_a_day_ends_at_midnight_where_the_class_is(zone: str | None, day: date, end: str) -> None:
    assert end_of(day, zone) == datetime.fromisoformat(end)


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["Europe/Madrid", "America/Santiago", "Africa/Cairo", "Asia/Kolkata", "America/New_York"]),
)
def test_the_last_moment_of_a_day_is_in_time_and_the_next_is_late(day: date, zone: str) -> None:
    end = end_of(day, zone)
    before = end - timedelta(microseconds=1)
    assert before.astimezone(ZoneInfo(zone)).date() == day
    assert end.astimezone(ZoneInfo(zone)).date() == day + timedelta(days=1)
    assert lateness(before, end) is None
    assert lateness(end, end) == timedelta()


def test_nothing_is_late_without_a_due_date() -> None:
    assert lateness(datetime.now(UTC), None) is None


@pytest.mark.parametrize(
    ("late", "hours"),
    [
        (timedelta(), "0.01"),
        (timedelta(microseconds=1), "0.01"),
        (timedelta(hours=1), "1.00"),
        (timedelta(hours=1, seconds=1), "1.01"),
    ],
)
def test_hours_are_rounded_up_and_never_0(late: timedelta, hours: str) -> None:
    assert late_hours(late) == Decimal(hours)


@pytest.mark.parametrize("text", [None, "", "soon", "2026-10-06", "2026-10-06T10:00:00", "0001-01-01T00:00:00+10:00"])
def test_what_is_no_instant_is_none(text: str | None) -> None:
    assert instant(text) is None


def test_an_instant_is_in_utc() -> None:
    assert instant("2026-10-06T10:00:00+02:00") == datetime(2026, 10, 6, 8, tzinfo=UTC)
