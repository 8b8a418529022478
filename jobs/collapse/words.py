"""A language of words alone, by Zipf's law, whose frequencies are counted, again and again, in its own text.

What is drawn so rarely that it is missing once is gone for good: genetic drift, after Wright and Fisher.
"""

from __future__ import annotations

import math
from typing import Any

from jobs.collapse.regime import Regime, num_kept


def zipf(num_words: int) -> Any:
    """Probabilities that fall as one over the rank, (num_words,)."""
    import numpy as np

    weights = 1 / np.arange(1, num_words + 1)
    return weights / weights.sum()


def drift(
    real: Any, regime: Regime, *, generations: int, size: int, keep: float, repeats: int, seed: int
) -> dict[str, list[float]]:
    """By generation, in the mean over repeats: words that it knows, the real mass of all others, and its diversity.

    A generation counts a text of `size` words, or of as many more as accumulate. The diversity is the probability that
    two words of its text differ, in units of the real one.
    """
    import numpy as np

    rng = np.random.default_rng([seed, *regime.encode()])
    text = rng.multinomial(size, real, size=repeats)
    kept = num_kept(size, keep) if regime is Regime.KEEP else 0
    counts, found = text, [_measured(real, text)]
    for _ in range(generations):
        shares = counts / counts.sum(axis=1, keepdims=True)
        made = rng.multinomial(size - kept, shares)
        if kept:
            made = made + np.stack([rng.multivariate_hypergeometric(row, kept, method="marginals") for row in text])
        counts = counts + made if regime is Regime.ACCUMULATE else made
        found.append(_measured(real, counts))
    return {name: [values[name] for values in found] for name in found[0]}


def expected_known(real: Any, regime: Regime, generation: int, size: int, keep: float) -> dict[str, float]:
    """How many words a generation is expected to know, and the real mass of all others.

    Each word of the first text founds a line, and so does each that is kept. A line has Poisson(1) words more in the
    next text, as rare words do in a long one, or fewer by the share that is kept; that it has died out by generation n
    has the probability of such a branching process, which without real data is about 1 - 2/n. A word is known while any
    line of it lives.
    """
    share = num_kept(size, keep) / size if regime is Regime.KEEP else 0.0
    alive, none_kept = 1.0, 1.0
    for _ in range(generation):
        none_kept *= 1 - share * alive
        if regime is not Regime.ACCUMULATE:
            alive = -math.expm1(-(1 - share) * alive)
    lost = (1 - real * (1 - (1 - alive) * none_kept)) ** size
    return {"known": float((1 - lost).sum()), "lost_mass": float((real * lost).sum())}


def _measured(real: Any, counts: Any) -> dict[str, float]:
    import numpy as np

    shares = counts / counts.sum(axis=1, keepdims=True)
    return {
        "known": float((counts > 0).sum(axis=1).mean()),
        "lost_mass": float(((counts == 0) * real).sum(axis=1).mean()),
        "diversity": float((1 - np.square(shares).sum(axis=1)).mean() / (1 - np.square(real).sum())),
    }
