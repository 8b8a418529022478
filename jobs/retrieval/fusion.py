"""Several rankings of one query made into one."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.retrieval.ranking import Ranking, best

RRF_K = 60
"""Cormack, Clarke, Büttcher (2009), "Reciprocal rank fusion outperforms Condorcet"."""


def reciprocal_rank(rankings: Sequence[Ranking], k: int, *, constant: int = RRF_K) -> Ranking:
    """Reciprocal rank fusion: each ranking gives its r-th document 1 / (constant + r), whatever its score was."""
    import numpy as np

    gains = [1.0 / (constant + 1 + np.arange(len(ranking.numbers))) for ranking in rankings]
    return _summed(rankings, gains, k)


def average(rankings: Sequence[Ranking], k: int) -> Ranking:
    """The mean of the scores as they are, 0 where a ranking has not found a document: what RRF is compared with."""
    return _summed(rankings, [ranking.scores / len(rankings) for ranking in rankings], k)


def _summed(rankings: Sequence[Ranking], gains: Sequence[object], k: int) -> Ranking:
    import numpy as np

    numbers = np.concatenate([ranking.numbers for ranking in rankings])
    found, place = np.unique(numbers, return_inverse=True)
    return best(np.bincount(place, np.concatenate(gains), len(found)), k, numbers=found)
