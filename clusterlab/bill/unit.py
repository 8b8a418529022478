"""The unit that cost is shared out to: a student's work on a lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

PICO = 12
"""Digits after the point that an amount of a bill has."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Unit:
    """A student x lab."""

    student: str
    lab: str
    """Empty where only the student is known."""

    def __str__(self) -> str:
        return f"{self.student} x {self.lab or 'no lab'}"


def split(usd: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """An amount in parts that are in proportion to weights and sum to it, to the picodollar.

    The largest remainder, as `clusterlab.cost.money.to_cents` rounds; the first of equals first.

    Args:
        usd: No finer than a picodollar; may be negative.
        weights: From 0, not all 0.
    """
    whole, total = int(usd.scaleb(PICO)), sum(weights)
    parts = [whole * weight // total for weight in weights]
    lost = sorted(range(len(weights)), key=lambda index: whole * weights[index] % total, reverse=True)
    for index in lost[: whole - sum(parts)]:
        parts[index] += 1
    return [Decimal(part).scaleb(-PICO) for part in parts]
