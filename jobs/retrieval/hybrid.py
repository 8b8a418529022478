"""The hybrid index: words and vectors asked at the same time, and their rankings fused."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from jobs.retrieval.bm25 import Bm25
from jobs.retrieval.embedders import Embedder
from jobs.retrieval.fusion import reciprocal_rank
from jobs.retrieval.ranking import Ranking
from jobs.retrieval.vectors import VectorIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class Hybrid:
    """Both indices of the same texts; each is asked for `depth` texts, of which the fused ranking is made."""

    bm25: Bm25
    vectors: VectorIndex
    embedder: Embedder
    depth: int
    query_prefix: str = ""
    """What the embedder was trained to see before a query."""
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1), repr=False)

    def lexical(self, query: str) -> Ranking:
        """By words alone."""
        return self.bm25.search(query, self.depth)

    def dense(self, query: str) -> Ranking:
        """By vectors alone."""
        return self.vectors.search(self._vector(query), self.depth)

    def parts(self, query: str) -> tuple[Ranking, Ranking]:
        """Both, at the same time: by words, and by vectors.

        FAISS gives Python's lock back while it compares, and numpy keeps it while it adds up: so it is the words that
        wait in the other thread, until the vectors are being compared.
        """
        vector = self._vector(query)
        lexical = self._beside.submit(self.lexical, query)
        dense = self.vectors.search(vector, self.depth)
        return lexical.result(), dense

    def search(self, query: str) -> Ranking:
        """Both, fused."""
        return reciprocal_rank(self.parts(query), self.depth)

    def search_all(self, queries: Sequence[str]) -> Ranking:
        """The multi-query retriever: what every wording of one question finds, fused as equals."""
        return reciprocal_rank([ranking for query in queries for ranking in self.parts(query)], self.depth)

    def _vector(self, query: str) -> Any:
        return self.embedder.embed([self.query_prefix + query])[0]
