"""The months that clouds bill by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def month_of(instant: datetime) -> tuple[datetime, datetime]:
    """The month of an instant in UTC: its first instant, and that of the next."""
    first = datetime(instant.year, instant.month, 1, tzinfo=UTC)
    return first, (first + timedelta(days=32)).replace(day=1)
