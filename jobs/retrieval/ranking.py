"""A ranking: numbers of documents, best first, with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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

    if k < len(scores):
        # The k-th score decides who may be in; all that equal it are sorted too, so that ties are by place.
        limit = max(np.partition(scores, -k)[-k], above)
        places = np.flatnonzero(scores >= limit)
    else:
        places = np.arange(len(scores))
    places = places[scores[places] > above]
    places = places[np.argsort(-scores[places], kind="stable")][:k]
    return Ranking(numbers=places if numbers is None else numbers[places], scores=scores[places])
