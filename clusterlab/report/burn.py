"""How a budget burns down: what each day (UTC) cost, and a forecast at the pace of the last whole weeks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro
from clusterlab.cost.total import Total

DAY = timedelta(days=1)
WEEK_DAYS = 7
MOST_WEEKS = 4
"""How far back the pace is measured; a course's habits change."""
HORIZON = timedelta(weeks=4)
"""How far ahead, where nobody said when the course ends."""
METHOD = (
    f"the mean of the last whole weeks, at most {MOST_WEEKS}, that end with yesterday (UTC); from the quietest to the "
    "busiest of them. It goes on as it was: it knows of no deadline to come, and promises nothing"
)

_MICROSECOND = timedelta(microseconds=1)
_DAY = Decimal(DAY // _MICROSECOND)
_HOUR = Decimal(timedelta(hours=1) // _MICROSECOND)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a course will have cost when it ends, if it goes on as it was."""

    until: datetime
    """Exclusive."""
    num_weeks: int
    """From how many whole weeks; 0 where there was none, and the days since the first stand for it."""
    per_day_usd: Decimal
    usd: Decimal
    """In all, at the end."""
    low_usd: Decimal | None
    """At the pace of the quietest week; None where fewer than two whole weeks have passed."""
    high_usd: Decimal | None
    """Of the busiest."""
    used_up: datetime | None
    """When the budget is used up at the mean pace; None where it is not before the end, or there is none."""
    complete: bool
    """Whether every price of what was used is known; if not, all of this is too low."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        amounts = {name: getattr(self, name) for name in ("per_day_usd", "usd", "low_usd", "high_usd")}
        return {
            "until": self.until.isoformat(),
            "num_weeks": self.num_weeks,
            **{name: None if usd is None else f"{to_micro(usd):f}" for name, usd in amounts.items()},
            "used_up": self.used_up.isoformat() if self.used_up else None,
            "complete": self.complete,
            "method": METHOD,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """What a course cost so far, day by day, against what it may cost."""

    days: tuple[tuple[date, Total], ...]
    """From the first use to today without gaps; empty where nothing was used."""
    cap_usd: Decimal | None
    """None where nobody set one."""
    forecast: Forecast | None
    """None before a whole day has passed, and when the course is over."""

    @classmethod
    def of(cls, intervals: Iterable[Interval], now: datetime, *, cap_usd: Decimal | None, until: date | None) -> Burn:
        """Share out what was used over the days; `until` is the course's last day."""
        days = daily(intervals, now)
        end = _midnight(until) + DAY if until else now + HORIZON
        return cls(days=tuple(days.items()), cap_usd=cap_usd, forecast=_forecast(days, now, end, cap_usd))

    @property
    def used(self) -> Total:
        """All days."""
        return Total.together(total for _, total in self.days)


def daily(intervals: Iterable[Interval], now: datetime) -> dict[date, Total]:
    """What each day cost, without gaps; an interval's parts sum to what it costs, to the micro-dollar.

    A use without a known price counts on the day on which it began.
    """
    usd: dict[date, Decimal] = defaultdict(Decimal)
    unknown: dict[date, int] = defaultdict(int)
    for each in intervals:
        if each.price_usd_per_hour is None:
            unknown[each.start.date()] += 1
            continue
        for day, part in _parts(each.start, max(each.start, each.end or now), each.price_usd_per_hour):
            usd[day] += part
    known = {*usd, *unknown}
    if not known:
        return {}
    first, last = min(known), max(*known, now.date())
    days = [first + DAY * number for number in range((last - first).days + 1)]
    return {day: Total(usd=usd.get(day, Decimal(0)), num_unknown=unknown.get(day, 0)) for day in days}


def _parts(start: datetime, end: datetime, price: Decimal) -> Iterable[tuple[date, Decimal]]:
    """A use by day. Each part is the difference of two sums that are rounded, so that no rounding adds up."""
    day, before = start.date(), Decimal(0)
    while True:
        until = min(_midnight(day) + DAY, end)
        usd = to_micro(Decimal((until - start) // _MICROSECOND) / _HOUR * price)
        yield day, usd - before
        if until >= end:
            return
        day, before = day + DAY, usd


def _forecast(days: Mapping[date, Total], now: datetime, end: datetime, cap_usd: Decimal | None) -> Forecast | None:
    past = [total.usd for day, total in days.items() if day < now.date()]
    if not past or end <= now:
        return None
    weeks = [
        sum(past[-WEEK_DAYS * (number + 1) : len(past) - WEEK_DAYS * number], Decimal(0)) / WEEK_DAYS
        for number in range(min(len(past) // WEEK_DAYS, MOST_WEEKS))
    ]
    paces = weeks or [sum(past, Decimal(0)) / len(past)]
    used, left = sum((total.usd for total in days.values()), Decimal(0)), Decimal((end - now) // _MICROSECOND) / _DAY
    pace = sum(paces, Decimal(0)) / len(paces)
    ranged = len(weeks) > 1
    return Forecast(
        until=end,
        num_weeks=len(weeks),
        per_day_usd=pace,
        usd=used + pace * left,
        low_usd=used + min(paces) * left if ranged else None,
        high_usd=used + max(paces) * left if ranged else None,
        used_up=None if cap_usd is None else _used_up(now, end, cap_usd - used, pace),
        complete=all(total.complete for total in days.values()),
    )


def _used_up(now: datetime, end: datetime, free_usd: Decimal, pace: Decimal) -> datetime | None:
    """When so much is used up; now where it is already."""
    if free_usd <= 0:
        return now
    # So many days that no calendar has them would be an error.
    if not pace or free_usd / pace > Decimal((end - now) // _MICROSECOND) / _DAY:
        return None
    return now + _MICROSECOND * int(free_usd / pace * _DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
