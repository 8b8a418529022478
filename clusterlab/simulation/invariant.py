"""What must hold at any time."""

from __future__ import annotations

from enum import StrEnum

from clusterlab.errors import ClusterlabError


class Invariant(StrEnum):
    """In words for a person."""

    BUDGET = "no launch is let through that its budgets do not cover"
    RESERVED = "no machine runs that nobody reserved for"
    SPENDING = "no machine runs on when a budget is spent, but until two rounds of `enforce` saw it"
    LEASE = "no machine outlives its lease, but until two sweeps saw it"
    GRACE = "nothing is there after the grace that follows its stop"
    METERED = "what runs is on record at the next look, and what ran with its whole length"
    SUMS = "the ledger is the sum of its intervals, and what is reserved beyond"


class ViolationError(ClusterlabError):
    """One that does not hold."""

    def __init__(self, invariant: Invariant, what: str) -> None:
        self.invariant, self.what = invariant, what
        # SimPy raises a process's exception again, made anew of its arguments.
        super().__init__(invariant, what)

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"
