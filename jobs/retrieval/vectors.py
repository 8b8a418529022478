"""An index of vectors: embedded (FAISS: all compared, or a graph of neighbours), or a Qdrant server."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Protocol

from clusterlab.errors import UnreachableError
from jobs.retrieval.ranking import Ranking

FLAT, HNSW = "flat", "hnsw"
EMBEDDED = (FLAT, HNSW)
NEIGHBOURS, BUILD_WIDTH, SEARCH_WIDTH = 32, 100, 128
"""M, efConstruction, efSearch of the graph (Malkov, Yashunin, 2016, arXiv:1603.09320)."""
NAME = "clusterlab-rag"
"""Of the collection on a server; it is made anew."""
SECONDS = 30
"""How long a server may be silent."""
KEY_VARIABLE = "QDRANT_API_KEY"
UPLOAD = 256


class VectorIndex(Protocol):
    """Vectors of length 1, numbered from 0."""

    def search(self, vector: Any, k: int) -> Ranking:
        """The nearest to one vector, float32 (dimensions,), by the cosine."""


def vector_index(kind: str, vectors: Any) -> VectorIndex:
    """Index float32 (texts, dimensions): `flat`, `hnsw`, or the URL of a Qdrant server.

    Raises:
        UnreachableError: the server does not answer, or refuses.
    """
    return FaissIndex(kind, vectors) if kind in EMBEDDED else QdrantIndex(_client(kind), vectors)


class FaissIndex:
    """In this process; a search has one thread, so that what runs beside it has a core too."""

    def __init__(self, kind: str, vectors: Any) -> None:
        import faiss

        dimensions = vectors.shape[1]
        if kind == FLAT:
            self._index = faiss.IndexFlatIP(dimensions)
        else:
            self._index = faiss.IndexHNSWFlat(dimensions, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction, self._index.hnsw.efSearch = BUILD_WIDTH, SEARCH_WIDTH
        self._index.add(vectors)
        self._one_thread = partial(faiss.omp_set_num_threads, 1)

    def search(self, vector: Any, k: int) -> Ranking:
        """See `VectorIndex`."""
        self._one_thread()  # It is said of the thread that calls, whichever that is.
        scores, numbers = self._index.search(vector[None], min(k, self._index.ntotal))
        found = numbers[0] >= 0  # The graph gives -1 where it found fewer.
        return Ranking(numbers=numbers[0][found], scores=scores[0][found])


class QdrantIndex:
    """On a server, or in a client that has no server."""

    def __init__(self, client: Any, vectors: Any) -> None:
        from qdrant_client import models

        self._client = client
        parameters = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
        if self._asked(client.collection_exists, NAME):
            self._asked(client.delete_collection, NAME)
        self._asked(client.create_collection, NAME, vectors_config=parameters)
        for begin in range(0, len(vectors), UPLOAD):
            part = vectors[begin : begin + UPLOAD]
            points = models.Batch(ids=list(range(begin, begin + len(part))), vectors=part.tolist())
            self._asked(client.upsert, NAME, points=points, wait=True)

    def search(self, vector: Any, k: int) -> Ranking:
        """See `VectorIndex`."""
        import numpy as np

        points = self._asked(self._client.query_points, NAME, query=vector.tolist(), limit=k).points
        numbers = np.array([point.id for point in points], np.int64)
        return Ranking(numbers=numbers, scores=np.array([point.score for point in points], np.float32))

    def _asked(self, call: Any, *values: Any, **named: Any) -> Any:
        from qdrant_client.http.exceptions import ApiException

        try:
            return call(*values, **named)
        except ApiException as error:
            raise UnreachableError(f"INDEX: the Qdrant server gave no answer: {error}") from error


def _client(url: str) -> Any:
    from qdrant_client import QdrantClient

    key = os.environ.get(KEY_VARIABLE) or None
    return QdrantClient(url=url, api_key=key, timeout=SECONDS, check_compatibility=False)
