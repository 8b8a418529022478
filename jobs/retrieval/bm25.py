"""BM25 as Lucene scores it, on the sparse index of bm25s (Robertson et al., 1994; Lù, 2024, arXiv:2407.03618)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.retrieval.analyzer import Analyzer, Terms
from jobs.retrieval.ranking import Ranking, best

K1, B = 0.9, 0.4
"""Anserini's, in every published BM25 of BEIR."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bm25:
    """An index of texts that are numbered from 0."""

    analyzer: Analyzer
    index: Any
    """A `bm25s.BM25`."""
    vocabulary: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, texts: Sequence[str], *, k1: float = K1, b: float = B) -> Bm25:
        """Index texts."""
        analyzer = Analyzer()
        return cls.of_terms(analyzer.all_terms(texts), analyzer, k1=k1, b=b)

    @classmethod
    def of_terms(cls, terms: Terms, analyzer: Analyzer, *, k1: float = K1, b: float = B) -> Bm25:
        """Index texts that have been analyzed."""
        import bm25s

        index = bm25s.BM25(k1=k1, b=b, method="lucene")
        index.scores = _scores(terms, k1, b)
        index.vocab_dict, index.nonoccurrence_array = terms.vocabulary, None
        return cls(analyzer=analyzer, index=index, vocabulary=terms.vocabulary)

    def search(self, query: str, k: int) -> Ranking:
        """The best texts, at most `k`, and none that has no term of the query; equal ones by number."""
        known = [self.vocabulary[term] for term in self.analyzer.terms(query) if term in self.vocabulary]
        if not known:
            return Ranking.empty()
        return best(self.index.get_scores_from_ids(known), k, above=0)


def encoded_lengths(lengths: Any) -> Any:
    """Lengths as Lucene keeps them, in a byte: exact below 40, then to four binary digits (`SmallFloat.byte4ToInt`)."""
    import numpy as np

    free = 24
    rest = np.maximum(lengths - free, 0)
    shift = np.maximum(np.frexp(rest)[1] - 4, 0)
    return np.where(lengths < free, lengths, free + (rest >> shift << shift))


def _scores(terms: Terms, k1: float, b: float) -> dict[str, Any]:
    """What each term adds to the score of each text, column by column, as `bm25s` keeps it.

    bm25s counts terms in Python; this does the same in arrays, with the lengths as Lucene rounds them.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    num_texts, num_terms = len(terms.offsets) - 1, max(len(terms.vocabulary), 1)
    ones: Any = np.ones(len(terms.ids), np.float32)
    counts = csr_matrix((ones, terms.ids, terms.offsets), shape=(num_texts, num_terms)).tocsc()
    # By columns, the texts of a term come in order, so equal ones stand side by side and nothing need be sorted.
    counts.has_sorted_indices = True
    counts.sum_duplicates()
    lengths = np.diff(terms.offsets)
    num_filled = int((lengths > 0).sum())
    found_in = np.diff(counts.indptr)
    idf = np.log1p((num_filled - found_in + 0.5) / (found_in + 0.5)).astype(np.float32)
    norms = k1 * (1 - b + b * encoded_lengths(lengths) / max(lengths.sum() / max(num_filled, 1), 1e-9))
    data = counts.data
    data /= data + norms.astype(np.float32)[counts.indices]
    data *= np.repeat(idf, found_in)
    scores = {"data": data, "indices": counts.indices, "indptr": counts.indptr}
    return scores | {"num_docs": num_texts}
