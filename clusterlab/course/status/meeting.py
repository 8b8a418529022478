"""When the class meets: whether it does now, and when it does next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clusterlab.cluster import Cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """One class hour, in UTC, and the zone in which people read it."""

    start: datetime
    end: datetime
    zone: str

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """The class at one instant."""

    now: Meeting | None
    """None where it does not meet now."""
    next: Meeting | None
    """The first that begins later; None where there is none any more."""

    @classmethod
    def of(cls, cluster: Cluster, at: datetime) -> Calendar:
        """Read it off the class's dates, hours and holidays."""
        here = next_one = None
        for each in _meetings(cluster, at):
            if each.start > at:
                next_one = each
                break
            if at < each.end:
                here = each
        return cls(now=here, next=next_one)

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"now": self.now and self.now.as_json(), "next": self.next and self.next.as_json()}


def _meetings(cluster: Cluster, at: datetime) -> Iterator[Meeting]:
    """Those from yesterday on, in order."""
    if cluster.dates is None:
        return
    zone = ZoneInfo(cluster.time_zone or "UTC")
    day = max(cluster.dates.start, at.astimezone(zone).date() - timedelta(days=1))
    while day <= cluster.dates.end:
        if not any(each.holds(day) for each in cluster.holidays):
            for hours in cluster.hours:
                if hours.day == day.weekday():
                    start, end = (
                        datetime.combine(day, each, zone).astimezone(UTC) for each in (hours.start, hours.end)
                    )
                    yield Meeting(start=start, end=end, zone=zone.key)
        day += timedelta(days=1)
