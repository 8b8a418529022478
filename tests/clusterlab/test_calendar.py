from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

from clusterlab.calendar import Dates, Hours, read_dates, read_day, read_holidays, read_hours, read_time_zone
from clusterlab.document import Document

TERM = Dates(start=date(2026, 9, 1), end=date(2026, 12, 18))
READ: dict[str, Callable[[Document, str], Any]] = {
    "dates": read_dates,
    "holidays": read_holidays,
    "hours": read_hours,
    "time_zone": read_time_zone,
}


def read(tmp_path: Path, key: str, text: str) -> tuple[Any, list[str]]:
    """What was understood, and what was complained of."""
    path = tmp_path / "class.yaml"
    path.write_text(f"{key}: {text}")
    document = Document.load(path, [])
    return READ[key](document, key), [f"{problem.key}: {problem.message}" for problem in document.problems]


def test_both_ends_are_days_of_the_class(tmp_path: Path) -> None:
    assert read(tmp_path, "dates", "{start: 2026-09-01, end: '2026-12-18'}") == (TERM, [])
    days = [date(2026, 8, 31), TERM.start, TERM.end, date(2026, 12, 19)]
    assert [TERM.holds(day) for day in days] == [False, True, True, False]


def test_hours_are_sorted_by_the_week(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "hours", '["thu 10:00-12:00", "Tue 16:00 - 17:30", "tue 10:00-12:00"]')
    assert [str(each) for each in found] == ["tue 10:00-12:00", "tue 16:00-17:30", "thu 10:00-12:00"]
    assert found[0] == Hours(day=1, start=time(10), end=time(12))


def test_a_holiday_is_a_day_or_a_stretch_of_them(tmp_path: Path) -> None:
    found, problems = read(tmp_path, "holidays", "[{start: 2026-12-07, end: 2026-12-08}, 2026-10-12]")
    assert (list(map(str, found)), problems) == (["2026-10-12", "2026-12-07 to 2026-12-08"], [])


def test_class_after_class_does_not_overlap(tmp_path: Path) -> None:
    assert read(tmp_path, "hours", '["tue 10:00-12:00", "tue 12:00-13:00", "wed 10:00-12:00"]')[1] == []


def test_a_time_zone_is_known_by_name(tmp_path: Path) -> None:
    assert read(tmp_path, "time_zone", "Europe/Madrid") == ("Europe/Madrid", [])


FAULTS = {
    "backwards": ("dates", "{start: 2026-12-18, end: 2026-09-01}", "dates: ends on 2026-09-01, before it starts on"),
    "no end": ("dates", "{start: 2026-09-01}", "dates: {'start': '2026-09-01'}; allowed: {start: 2026-09-01, end:"),
    "typo": ("dates", "{start: 2026-09-01, ends: 2026-12-18}", "dates: {'start': '2026-09-01', 'ends': '2026-12-18'}"),
    "no mapping": ("dates", "autumn", "dates: 'autumn'; allowed: {start: 2026-09-01, end: 2026-12-18}"),
    "no day": ("dates", "{start: 2026-09-31, end: 2026-12-18}", "dates.start: '2026-09-31' is no day; allowed: such"),
    "years": ("dates", "{start: 2026-09-01, end: 2028-06-30}", "dates: 2026-09-01 to 2028-06-30 are more than 365"),
    "holiday": ("holidays", "[someday]", "holidays: 'someday' is no day; allowed: such as 2026-09-01"),
    "holidays": ("holidays", "2026-10-12", "allowed: a list of days, such as 2026-10-12, or of {start: 2026-09-01,"),
    "same holiday": ("holidays", "[2026-10-12, 2026-10-12]", "holidays: 2026-10-12 and 2026-10-12 overlap"),
    "in a stretch": (
        "holidays",
        "[2026-12-08, {start: 2026-12-07, end: 2026-12-09}]",
        "holidays: 2026-12-07 to 2026-12-09 and 2026-12-08 overlap; allowed: each day once",
    ),
    "overlap": (
        "hours",
        '["tue 11:00-13:00", "tue 10:00-12:00"]',
        "hours: tue 10:00-12:00 and tue 11:00-13:00 overlap; allowed: one class at a time",
    ),
    "weekday": ("hours", '["tues 10:00-12:00"]', "hours: 'tues 10:00-12:00'; allowed: a day of mon, tue, wed, thu"),
    "no time": ("hours", '["tue 10:00-25:00"]', "hours: 'tue 10:00-25:00'; allowed: a day of mon"),
    "back in time": ("hours", '["tue 12:00-10:00"]', "hours: 'tue 12:00-10:00'; allowed: a day of mon"),
    "time zone": ("time_zone", "Europe/Atlantis", "time_zone: 'Europe/Atlantis' is no time zone; allowed: a name of"),
    "folder": ("time_zone", "Europe", "time_zone: 'Europe' is no time zone"),
    "path": ("time_zone", "../etc/passwd", "time_zone: '../etc/passwd' is no time zone"),
}


@pytest.mark.parametrize(("key", "text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_the_calendar_is_named(tmp_path: Path, key: str, text: str, message: str) -> None:
    _, [problem] = read(tmp_path, key, text)
    assert message in problem


@pytest.mark.parametrize(("day", "inside"), [("2026-12-18", True), ("2026-12-19", False)])
def test_a_day_is_one_of_the_class(tmp_path: Path, day: str, inside: bool) -> None:
    path = tmp_path / "class.yaml"
    path.write_text(f"due: {day}")
    document = Document.load(path, [])
    assert read_day(document, "due", TERM) == date.fromisoformat(day)
    assert (document.problems == []) is inside
