"""A sum of dollars of which some may not be known: then it says so, and never counts them as nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusterlab.cost.money import to_micro


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """What is known, and how many amounts are not."""

    usd: Decimal = Decimal(0)
    """The sum of the amounts that are known."""
    num_unknown: int = 0

    @classmethod
    def of(cls, amounts: Iterable[Decimal | None]) -> Total:
        """Sum amounts; None is one that is not known."""
        usd, unknown = Decimal(0), 0
        for amount in amounts:
            if amount is None:
                unknown += 1
            else:
                usd += amount
        return cls(usd=usd, num_unknown=unknown)

    @classmethod
    def together(cls, totals: Iterable[Total]) -> Total:
        """Many as one: a course's report sums each of its tens of thousands several times."""
        usd, unknown = Decimal(0), 0
        for each in totals:
            usd += each.usd
            unknown += each.num_unknown
        return cls(usd=usd, num_unknown=unknown)

    @property
    def complete(self) -> bool:
        """Whether every amount is known."""
        return self.num_unknown == 0

    def __add__(self, other: Total) -> Total:
        return Total(usd=self.usd + other.usd, num_unknown=self.num_unknown + other.num_unknown)

    def __str__(self) -> str:
        usd = f"{to_micro(self.usd):.2f}"
        return usd if self.complete else f"{usd} incomplete"

    def as_json(self) -> dict[str, Any]:
        """As JSON values, the dollars as a text."""
        return {"usd": f"{to_micro(self.usd):f}", "num_unknown": self.num_unknown, "complete": self.complete}
