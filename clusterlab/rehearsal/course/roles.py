"""Who of a class does what in its rehearsal: the last of the roster have the accidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clusterlab.errors import InputError, Problem

TEACHER = "teacher"
"""Who launches the class's own cluster; no student's budget counts for it."""
MIN_STUDENTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """Who has which part."""

    spot: str
    """Has a spot machine, which is taken back."""
    forgetful: str
    """Takes autostop away and goes home."""
    runaway: str
    """Asks for more than the budget covers, and lets a machine run until all of it is spent."""

    @classmethod
    def of(cls, students: Sequence[str], *, path: str) -> Roles:
        """The roles in a roster.

        Raises:
            InputError: it has too few.
        """
        if len(students) < MIN_STUDENTS:
            message = f"{len(students)} students; allowed: {MIN_STUDENTS} or more, since so many have an accident"
            raise InputError(Problem(path=path, key="roster", message=message))
        return cls(spot=students[-3], forgetful=students[-2], runaway=students[-1])
