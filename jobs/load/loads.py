"""Which loads are put on a server, one after the other."""

from __future__ import annotations

import itertools
from enum import StrEnum


class Mode(StrEnum):
    """Who decides when a request is sent."""

    OPEN = "open"
    """A Poisson process: requests come however the server is."""
    CLOSED = "closed"
    """Clients that ask again when they have their answer."""


def parse_loads(text: str, mode: Mode) -> tuple[float, ...]:
    """Growing loads out of a comma-separated list.

    Raises:
        ValueError: one is no number above 0, or no whole one of clients, or they do not grow.
    """
    kind = "a number of requests a second" if mode is Mode.OPEN else "a whole number of clients"
    try:
        loads = [float(part) if mode is Mode.OPEN else int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"allowed: {kind} each, with commas between") from None
    if not all(0 < load < float("inf") for load in loads):
        raise ValueError(f"allowed: {kind} above 0 each")
    if any(later <= load for load, later in itertools.pairwise(loads)):
        raise ValueError("each load must be above the one before it")
    return tuple(loads)
