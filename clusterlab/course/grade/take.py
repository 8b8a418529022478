"""Which of a student's valid runs of a lab counts."""

from __future__ import annotations

from enum import StrEnum


class Take(StrEnum):
    """By which rule."""

    LAST = "last"
    """The last in time; where none is, the first that came late."""
    BEST = "best"
    """That with the highest score in time; where none is, of the late ones. Of equal ones as above."""
