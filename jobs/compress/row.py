"""One line of the sweep's table: what a method measured, or why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a method ended."""

    MEASURED = "MEASURED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One method at one bit width."""

    method: str
    family: str
    bits: float
    outcome: Outcome
    fingerprint: str
    kept: bool = False
    """Whether it was measured by an earlier run."""
    metrics: dict[str, float] = field(default_factory=dict)
    """By the names of `jobs.compress.measure.UNITS`."""
    reason: str = ""
    """Why it failed."""
    folder: str = ""
    """Where its checkpoint is, on the machine that measured it."""
