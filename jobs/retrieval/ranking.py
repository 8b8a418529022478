"""A ranking: numbers of documents, best first, with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SAMPLED = 16
"""One of so many scores is looked at before all are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Both of one length; scores never rise."""

    numbers: Any
    """int64."""
    scores: Any
    """float32."""

    @classmethod
    def empty(cls) -> Ranking:
        """Of nothing that was found."""
        import numpy as np

        return cls(numbers=np.empty(0, np.int64), scores=np.empty(0, np.float32))


def best(scores: Any, k: int, *, above: float = float("-inf"), numbers: Any = None) -> Ranking:
    """The `k` highest of `scores` that lie above a limit; equal ones by their place.

    `numbers` are the documents that the scores are of, `0, 1, ...` where none are given.
    """
    import numpy as np

    # Most texts have no term of a query: where so many are equal, numpy's selection takes twenty times as long.
    places = np.flatnonzero(scores > above)
    scores = scores[places]
    # The k-th score decides who may be in, and that of a part is never above it, so that few are left after the first.
    for every in (SAMPLED, 1):
        part = scores[::every]
        if k < len(part):
            among = np.flatnonzero(scores >= np.partition(part, -k)[-k])
            places, scores = places[among], scores[among]
    # All that equal the k-th are still there, so that ties are by place.
    order = np.argsort(-scores, kind="stable")[:k]
    places, scores = places[order], scores[order]
    return Ranking(numbers=places if numbers is None else numbers[places], scores=scores)
