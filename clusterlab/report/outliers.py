"""Who spent far more than the others, by the rule of Iglewicz and Hoaglin (1993): distance from the median, robustly.

A score is 0.6745 (x - median) / MAD, where MAD is the median of all distances from the median; where more than half are
alike, MAD is 0 and the mean of the distances stands for it, (x - median) / (1.2533 mean). Both are what a standard
deviation would be, were the costs normal, and neither is moved by the outlier itself, as a standard deviation is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

SCORE = Decimal("3.5")
"""Above which Iglewicz and Hoaglin call a score an outlier's."""
LEAST_ABOVE_USD = Decimal(1)
"""Less than this above the median is nobody's concern, however much alike the others are."""
LEAST_STUDENTS = 5
"""Of fewer there is no telling who is far from the others."""
RULE = (
    f"more than {LEAST_ABOVE_USD} USD above the median of at least {LEAST_STUDENTS} students, and a robust score "
    f"(0.6745 x distance / MAD) above {SCORE}"
)

_MAD = Decimal("0.6745")
_MEAN = Decimal("1.2533")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlier:
    """How far above the others."""

    median_usd: Decimal
    score: Decimal

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"median_usd": f"{self.median_usd:f}", "score": f"{self.score:.1f}"}


def outliers(usd: Mapping[str, Decimal]) -> dict[str, Outlier]:
    """Those whose cost is an outlier above the others', by name."""
    if len(usd) < LEAST_STUDENTS:
        return {}
    middle = median(usd.values())
    distances = [abs(each - middle) for each in usd.values()]
    spread = median(distances) / _MAD or _MEAN * sum(distances) / len(distances)
    if not spread:
        return {}
    scores = {name: (each - middle) / spread for name, each in usd.items()}
    return {
        name: Outlier(median_usd=middle, score=score)
        for name, score in scores.items()
        if score > SCORE and usd[name] - middle > LEAST_ABOVE_USD
    }
