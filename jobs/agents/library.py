"""What the agent can look up: the project's own hybrid index of sentences, of which whole documents are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.retrieval.bm25 import Bm25
from jobs.retrieval.embedders import Embedder
from jobs.retrieval.hybrid import Hybrid
from jobs.retrieval.vectors import FLAT, vector_index

DEPTH = 50
"""Sentences that each part of the index gives."""
_BETWEEN = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Documents, and the index of their sentences: a long document is found by any one of them."""

    documents: Mapping[str, str]
    """Texts by id."""
    embedder: Embedder
    num_passages: int
    """Documents that a search gives."""
    vectors: Mapping[str, Any]
    """Of each document: float32, (sentences, dimensions)."""
    hybrid: Hybrid
    owners: Sequence[str]
    """The document of each sentence of the index."""

    @classmethod
    def of(cls, documents: Mapping[str, str], embedder: Embedder, num_passages: int) -> Library:
        """Index texts."""
        return _indexed(documents, _embedded(documents, embedder), embedder, num_passages)

    def changed(self, documents: Mapping[str, str]) -> Library:
        """Another library, in which some documents have other texts or are new; only those are embedded."""
        texts = {**self.documents, **documents}
        vectors = {**self.vectors, **_embedded(documents, self.embedder)}
        return _indexed(texts, vectors, self.embedder, self.num_passages)

    def search(self, query: str) -> str:
        """The documents with the nearest sentences, a paragraph each, as the agent reads them."""
        numbers = self.hybrid.search(query).numbers.tolist()
        found = list(dict.fromkeys(self.owners[number] for number in numbers))[: self.num_passages]
        return "\n\n".join(f"[{id_}] {self.documents[id_]}" for id_ in found)


def _sentences(text: str) -> list[str]:
    """At least one, so that no document is without."""
    return [each for each in _BETWEEN.split(text) if each.strip()] or [text]


def _embedded(documents: Mapping[str, str], embedder: Embedder) -> dict[str, Any]:
    import numpy as np

    sentences = {id_: _sentences(text) for id_, text in documents.items()}
    vectors = embedder.embed([each for of in sentences.values() for each in of])
    ends = np.cumsum([len(of) for of in sentences.values()])[:-1]
    return dict(zip(sentences, np.split(vectors, ends), strict=True))


def _indexed(
    documents: Mapping[str, str], vectors: Mapping[str, Any], embedder: Embedder, num_passages: int
) -> Library:
    import numpy as np

    pairs = [(id_, sentence) for id_, text in documents.items() for sentence in _sentences(text)]
    together = np.concatenate([vectors[id_] for id_ in documents])
    index = Hybrid(
        bm25=Bm25.of([sentence for _, sentence in pairs]),
        vectors=vector_index(FLAT, together),
        embedder=embedder,
        depth=DEPTH,
    )
    owners = [id_ for id_, _ in pairs]
    return Library(
        documents=documents, embedder=embedder, num_passages=num_passages, vectors=vectors, hybrid=index, owners=owners
    )
