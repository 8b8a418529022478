"""When a lab is due, and how late a run is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from zoneinfo import ZoneInfo

HUNDREDTH = Decimal("0.01")


def end_of(day: date, time_zone: str | None) -> datetime:
    """The instant at which a day ends where the class is, in UTC: the first moment of the next. UTC without a zone.

    Where clocks skip midnight it is the moment of the change, and where they show it twice the first of the two.
    """
    zone = ZoneInfo(time_zone or "UTC")
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def lateness(submitted: datetime, due: datetime | None) -> timedelta | None:
    """By how much it is late; None where it is in time. The end of a day is no more of it."""
    if due is None or submitted < due:
        return None
    return submitted - due


def late_hours(late: timedelta) -> Decimal:
    """Hours to the hundredth, rounded up, so that what is late is never 0."""
    seconds = Decimal(late // timedelta(microseconds=1)) / 1_000_000
    return max(HUNDREDTH, (seconds / 3600).quantize(HUNDREDTH, rounding=ROUND_CEILING))


def instant(text: str | None) -> datetime | None:
    """An instant in UTC out of ISO 8601 with a zone; None where it is none."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
