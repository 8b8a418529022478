"""A lease: until when a resource may exist, by its tags and by when it was made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from clusterlab.errors import InputError, Problem
from clusterlab.tags import LEASE_FORMAT

LEASE_TAG = "lease-until"
LEASE_VARIABLE = "CLUSTERLAB_LEASE_HOURS"
LEASE_HOURS = "12"
OWNED = ("student", "run")
"""Tags of what a launch made; a lease longer than a launch gets was not given by the course's policy."""
LONGEST = timedelta(days=366)
"""Of what an instructor made: a class's file system lives for a term, and nothing for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Until when a resource may exist, and by which rule."""

    until: datetime
    why: str

    @classmethod
    def of(cls, tags: Mapping[str, str], made: datetime, granted: timedelta) -> Lease:
        """The lease of a resource with these tags, made at that instant, in a course that grants a launch so much.

        A tag that is missing or no instant gives what a launch is granted, from when the resource was made; and no tag
        gives more than may be given. So neither a tag that was taken away nor one that was written anew keeps a
        machine.
        """
        longest = granted if any(tag in tags for tag in OWNED) else LONGEST
        text = tags.get(LEASE_TAG)
        until = None if text is None else parse_lease(text)
        if until is None:
            why = f"no tag {LEASE_TAG}" if text is None else f"{LEASE_TAG}={text} is no instant"
            return cls(until=made + granted, why=f"{why}: {_hours(granted)} from when it was made")
        if until > made + longest:
            why = f"{LEASE_TAG}={text} is longer than it may be: {_hours(longest)} from when it was made"
            return cls(until=made + longest, why=why)
        return cls(until=until, why=f"{LEASE_TAG}={text}")


@lru_cache(maxsize=10_000)
def parse_lease(text: str) -> datetime | None:
    """The instant that a tag says, in UTC; None where it says none.

    Remembered, since a sweep reads the same tags again and again.
    """
    try:
        return datetime.strptime(text, LEASE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def granted_lease() -> timedelta:
    """How long a lease a launch is given: `CLUSTERLAB_LEASE_HOURS`, 12 where it is not set.

    Raises:
        InputError: it is no number of hours.
    """
    return parse_hours(os.environ.get(LEASE_VARIABLE) or LEASE_HOURS, path=LEASE_VARIABLE)


def parse_hours(text: str, *, path: str) -> timedelta:
    """Hours above 0, of a year at most.

    Raises:
        InputError: they are not.
    """
    try:
        hours = Decimal(text)
    except InvalidOperation:
        hours = Decimal(0)
    if not hours.is_finite() or not 0 < hours <= 24 * 365:
        raise InputError(Problem(path=path, message=f"{text!r}; allowed: hours above 0, such as 12"))
    return timedelta(hours=float(hours))


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):g} h"
