"""What each generation learns from, and how much of the real spread it is expected to keep.

A spread is the mean of squares less the square of the mean, over the data that a generation learns from: the variance
of a Gaussian fitted by maximum likelihood, and the Gini-Simpson diversity of word frequencies, which is the same of
each word's zeros and ones. In every regime the expected mean of squares stays what it is in the real data, and what the
mean wanders off is lost to the spread; that gives the formulas below, for any distribution of the data.
"""

from __future__ import annotations

import math
from enum import StrEnum


class Regime(StrEnum):
    """What a generation after the first learns from; the first learns from real data."""

    REPLACE = "replace"
    """What the generation before made, and nothing else."""
    KEEP = "keep"
    """The same, but for a share of it that is real data, drawn anew for each generation from those of the first."""
    ACCUMULATE = "accumulate"
    """The real data, and all that was made since."""


LABELS = {
    Regime.REPLACE: "only generated data",
    Regime.KEEP: "a share of real data kept",
    Regime.ACCUMULATE: "all data accumulated",
}


def num_kept(size: int, keep: float) -> int:
    """How many of `size` data are real where a share of `keep` is."""
    return round(keep * size)


def expected_spread(regime: Regime, generation: int, size: int, keep: float) -> float:
    """The expected spread of a generation, in units of that of the distribution which the real data are drawn from.

    `size` data are drawn for each generation; the first, number 0, has real ones alone.
    """
    if regime is Regime.ACCUMULATE:
        # The mean moves by a share of 1/n of the newest data's error; the product's limit is sin(x)/x at pi/sqrt(size).
        return math.prod(1 - 1 / (size * number**2) for number in range(1, generation + 2))
    share = num_kept(size, keep) / size if regime is Regime.KEEP else 0.0
    wandered = 1 / size
    for _ in range(generation):
        # Of the means of real data, of these with the model's, of the model's, and the error of a sample of the model.
        real = (share + 2 * share * (1 - share)) / size
        wandered = real + (1 - share) ** 2 * wandered + (1 - share) * (1 - wandered) / size
    return 1 - wandered
