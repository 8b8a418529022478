"""When a class meets, as instants: its hours on each of its days, but for holidays, in its time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from clusterlab.cluster import Cluster

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One meeting, in UTC; at its end it is over."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}-{self.end:%H:%M} UTC"


def session_at(cluster: Cluster, at: datetime) -> Session | None:
    """The meeting for which machines are up at an instant: `warm_minutes` before it begins, and until it ends.

    Of two that overlap so, it is the one that began.
    """
    lead = timedelta(minutes=cluster.warm_minutes)
    days = (_day(cluster, at) - DAY, _day(cluster, at + lead) + DAY)
    return next((each for each in _sessions(cluster, *days) if each.start - lead <= at < each.end), None)


def next_session(cluster: Cluster, at: datetime) -> Session | None:
    """The first meeting that begins after an instant; None where there is none any more."""
    if not cluster.hours:
        return None
    last = cluster.dates.end if cluster.dates else _day(cluster, at) + 366 * DAY
    return next((each for each in _sessions(cluster, _day(cluster, at), last) if each.start > at), None)


def today(cluster: Cluster, at: datetime) -> date:
    """The day that an instant is in the class's time zone."""
    return _day(cluster, at)


def _sessions(cluster: Cluster, first: date, last: date) -> Iterator[Session]:
    """Those of some days, both of them in, in order."""
    zone = ZoneInfo(cluster.time_zone or "UTC")
    for day in (first + number * DAY for number in range((last - first).days + 1)):
        held = cluster.dates is None or cluster.dates.holds(day)
        if not held or any(holiday.holds(day) for holiday in cluster.holidays):
            continue
        for hours in cluster.hours:
            if hours.day == day.weekday():
                yield Session(start=_instant(day, hours.start, zone), end=_instant(day, hours.end, zone))


def _instant(day: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, hour, zone).astimezone(UTC)


def _day(cluster: Cluster, at: datetime) -> date:
    return at.astimezone(ZoneInfo(cluster.time_zone or "UTC")).date()
