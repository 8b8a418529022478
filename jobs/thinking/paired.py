"""Whether one way is better than another on the same problems, or was lucky: an exact test and an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

NUM_RESAMPLES = 10_000


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """The exact two-sided McNemar test: how likely so uneven a split is, if neither way were better.

    Only problems count that exactly one of the two got right (McNemar, 1947; binomial, as in Agresti, section 10.1).
    """
    only_first = sum(one and not other for one, other in zip(first, second, strict=True))
    only_second = sum(other and not one for one, other in zip(first, second, strict=True))
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << discordant))


def gain_interval(first: Sequence[bool], second: Sequence[bool], *, seed: int) -> tuple[float, float]:
    """The 95 % interval of `second`'s accuracy less that of `first`: bootstrap over problems, percentiles."""
    import numpy as np

    gains = np.array(second, dtype=float) - np.array(first, dtype=float)
    drawn = np.random.default_rng(seed).integers(len(gains), size=(NUM_RESAMPLES, len(gains)))
    low, high = np.percentile(gains[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def accuracy_interval(num_right: int, num: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.959964, num_right / num
    middle = (share + z * z / (2 * num)) / (1 + z * z / num)
    half = z / (1 + z * z / num) * math.sqrt(share * (1 - share) / num + z * z / (4 * num * num))
    return max(0.0, middle - half), min(1.0, middle + half)
