"""A Gaussian that is fitted, generation after generation, to samples of the one before."""

from __future__ import annotations

import math
from typing import Any

from jobs.collapse.regime import Regime, expected_spread, num_kept


def fitted_variances(regime: Regime, *, generations: int, size: int, keep: float, repeats: int, seed: int) -> Any:
    """The variance by maximum likelihood of each generation, (generations + 1, repeats); the real one is 1."""
    import numpy as np

    rng = np.random.default_rng([seed, *regime.encode()])
    real = rng.standard_normal((repeats, size))
    kept = num_kept(size, keep) if regime is Regime.KEEP else 0
    mean, square = real.mean(axis=1), np.square(real).mean(axis=1)
    variances = [square - mean**2]
    for generation in range(1, generations + 1):
        data = mean[:, None] + np.sqrt(variances[-1])[:, None] * rng.standard_normal((repeats, size))
        if kept:
            data[:, :kept] = rng.permuted(real, axis=1)[:, :kept]
        # Of all data so far the newest are one part in so many, or else all.
        weight = 1 / (generation + 1) if regime is Regime.ACCUMULATE else 1.0
        mean = (1 - weight) * mean + weight * data.mean(axis=1)
        square = (1 - weight) * square + weight * np.square(data).mean(axis=1)
        variances.append(square - mean**2)
    return np.stack(variances)


def summary(variances: Any, regime: Regime, size: int, keep: float) -> dict[str, list[float]]:
    """By generation: the mean of the variances, what is expected of it, and their gap in standard errors."""
    mean = variances.mean(axis=1)
    expected = [expected_spread(regime, generation, size, keep) for generation in range(len(variances))]
    error = variances.std(axis=1, ddof=1) / math.sqrt(variances.shape[1])
    return {"mean": mean.tolist(), "expected": expected, "gap": (abs(mean - expected) / error).tolist()}


def unbiased(variances: Any, size: int) -> dict[str, list[float]]:
    """By generation, where data are replaced and each variance is estimated without bias: what becomes of the lines.

    Their mean stays at 1, since a few grow; a typical one, which is their geometric mean, falls, and has a formula.
    """
    import numpy as np
    import torch

    generations = np.arange(1, len(variances) + 1)
    # Bessel's correction multiplies all that comes after it, and nothing else: these are the same lineages.
    corrected = variances * (size / (size - 1)) ** generations[:, None]
    half = torch.tensor((size - 1) / 2, dtype=torch.float64)
    fall = (torch.digamma(half) - torch.log(half)).item()
    return {
        "mean": corrected.mean(axis=1).tolist(),
        "typical": np.exp(np.log(corrected).mean(axis=1)).tolist(),
        "expected_typical": np.exp(fall * generations).tolist(),
    }
