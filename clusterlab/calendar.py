"""When a class is: its first and last day, its hours in the week, and the days on which it is not held."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

from clusterlab.document import Document

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(rf"({'|'.join(DAYS)}) +(\d\d:\d\d) *- *(\d\d:\d\d)")
LONGEST_DAYS = 365
"""Of a class: no lease is longer, and after a year AWS Budgets begins to count anew."""
DATES_RULE = "allowed: {start: 2026-09-01, end: 2026-12-18}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dates:
    """From one day to another, both of them in."""

    start: date
    end: date

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} to {self.end}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """When the class meets, every week, in its time zone."""

    day: int
    """From 0, which is Monday."""
    start: time
    end: time

    def __str__(self) -> str:
        return f"{DAYS[self.day]} {self.start:%H:%M}-{self.end:%H:%M}"


def read_dates(document: Document, key: str) -> Dates | None:
    """The class's first and last day; what is wrong goes to the document's problems."""
    given = document.at(key)
    found = None if given is None else _dates(document, key, given)
    if found and (found.end - found.start).days > LONGEST_DAYS:
        document.complain(
            key, f"{found} are more than {LONGEST_DAYS} days; allowed: so many, as leases and budgets last"
        )
    return found


def read_holidays(document: Document, key: str) -> tuple[Dates, ...]:
    """Days and stretches of days, in their order; what is wrong goes to the document's problems."""
    given = document.at(key) or []
    if not isinstance(given, list):
        document.complain(key, f"{given!r}; allowed: a list of days, such as 2026-10-12, or of {DATES_RULE[9:]}")
        return ()
    found = sorted(filter(None, (_days(document, key, each) for each in given)), key=lambda each: each.start)
    for first, second in pairwise(found):
        if second.start <= first.end:
            document.complain(key, f"{first} and {second} overlap; allowed: each day once")
    return tuple(found)


def read_hours(document: Document, key: str) -> tuple[Hours, ...]:
    """The hours in the week, in their order; what is wrong goes to the document's problems."""
    given = document.at(key) or []
    if not isinstance(given, list):
        given = [given]
    found = sorted(_hours(document, key, given), key=lambda each: (each.day, each.start))
    for first, second in pairwise(found):
        if first.day == second.day and second.start < first.end:
            document.complain(key, f"{first} and {second} overlap; allowed: one class at a time")
    return tuple(found)


def read_time_zone(document: Document, key: str) -> str | None:
    """The name of a time zone; what is wrong goes to the document's problems."""
    given = document.at(key)
    if given is None:
        return None
    try:
        return ZoneInfo(str(given)).key
    except (KeyError, ValueError, OSError):
        document.complain(key, f"{given!r} is no time zone; allowed: a name of the tz database, such as Europe/Madrid")
        return None


def read_day(document: Document, key: str, within: Dates | None) -> date | None:
    """One day, of those of the class where they are known; what is wrong goes to the document's problems."""
    given = document.at(key)
    day = None if given is None else _day(document, key, given)
    if day and within and not within.holds(day):
        document.complain(key, f"{day} is outside the class's dates; allowed: {within}")
    return day


def _days(document: Document, key: str, given: object) -> Dates | None:
    if isinstance(given, dict):
        return _dates(document, key, given)
    day = _day(document, key, given)
    return None if day is None else Dates(start=day, end=day)


def _dates(document: Document, key: str, given: object) -> Dates | None:
    if not isinstance(given, dict) or set(given) != {"start", "end"}:
        document.complain(key, f"{_shown(given)}; {DATES_RULE}")
        return None
    start, end = (_day(document, f"{key}.{each}", given[each]) for each in ("start", "end"))
    if start is None or end is None:
        return None
    if end < start:
        document.complain(key, f"ends on {end}, before it starts on {start}; {DATES_RULE}")
        return None
    return Dates(start=start, end=end)


def _day(document: Document, key: str, given: object) -> date | None:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        document.complain(key, f"{str(given)!r} is no day; allowed: such as 2026-09-01")
        return None


def _hours(document: Document, key: str, given: Sequence[object]) -> Iterator[Hours]:
    rule = f"allowed: a day of {', '.join(DAYS)} and two times, such as 'tue 10:00-12:00'"
    for each in given:
        match = HOURS.fullmatch(str(each).strip().lower())
        try:
            start, end = (time.fromisoformat(text) for text in match.groups()[1:]) if match else (time(), time())
        except ValueError:
            start = end = time()
        if match is None or end <= start:
            document.complain(key, f"{str(each)!r}; {rule}")
        else:
            yield Hours(day=DAYS.index(match[1]), start=start, end=end)


def _shown(given: object) -> str:
    return repr({name: str(value) for name, value in given.items()} if isinstance(given, dict) else given)
