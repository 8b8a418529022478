"""In a process of the environment for retrieval: index, search by every method, and judge what was found.

python -m jobs.retrieval.measure FOLDER      with FOLDER/asked.json, as jobs.rag writes it
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.launch.exchange import answer
from jobs.retrieval.collection import Collection
from jobs.retrieval.evaluate import evaluate
from jobs.retrieval.fusion import average
from jobs.retrieval.hybrid import Hybrid
from jobs.retrieval.ranking import Ranking

VECTORS = "vectors.npy"
BM25, DENSE, AVERAGED, HYBRID, MULTI_QUERY, RERANKED = "bm25", "dense", "averaged", "hybrid", "multi_query", "reranked"
METHODS = (BM25, DENSE, AVERAGED, HYBRID, MULTI_QUERY, RERANKED)
Method = Callable[[str, str], Ranking]
"""Of a query's id and text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write a run file of each method in TREC's form.

    Returns 0, or the code of `clusterlab.errors`.
    """
    return answer(measure, arguments)


def measure(asked: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Seconds of each index' making, and of each method its measures by kind of query and its p50 in milliseconds."""
    from jobs.retrieval.published import load_collection

    collection = load_collection(**asked["collection"])
    texts, ids = list(collection.documents.values()), list(collection.documents)
    index, seconds = _indices(asked, texts, folder)
    found: dict[str, Any] = {"seconds": seconds, "methods": {}}
    for name, method in _methods(asked, index, texts):
        rankings, p50_ms = _search(collection, method)
        scores = {query: _by_id(query, ranking, ids) for query, ranking in rankings.items()}
        _write_run(folder / f"{name}.trec", name, scores)
        found["methods"][name] = {"kinds": evaluate(collection, scores), "p50_ms": p50_ms}
    return found


def _indices(asked: Mapping[str, Any], texts: list[str], folder: Path) -> tuple[Hybrid, dict[str, float]]:
    import numpy as np

    from jobs.retrieval.bm25 import Bm25
    from jobs.retrieval.embedders import load_embedder
    from jobs.retrieval.vectors import vector_index

    begun = time.perf_counter()
    bm25 = Bm25.of(texts)
    between = time.perf_counter()
    vectors = vector_index(asked["index"], np.load(folder / VECTORS))
    seconds = {"bm25": between - begun, "vectors": time.perf_counter() - between}
    embedder = load_embedder(asked["embedder"])
    values = {name: asked[name] for name in ("depth", "query_prefix")}
    return Hybrid(bm25=bm25, vectors=vectors, embedder=embedder, **values), seconds


def _methods(asked: Mapping[str, Any], index: Hybrid, texts: list[str]) -> Iterator[tuple[str, Method]]:
    """Every method that was asked for, in the order of `METHODS`."""
    from jobs.retrieval.rerankers import load_reranker, rerank

    yield BM25, lambda _, text: index.lexical(text)
    yield DENSE, lambda _, text: index.dense(text)
    yield AVERAGED, lambda _, text: average(index.parts(text), index.depth)
    yield HYBRID, lambda _, text: index.search(text)
    if asked["rewrites"]:
        yield MULTI_QUERY, lambda query, text: index.search_all([text, *asked["rewrites"].get(query, [])])
    reranker, depth = load_reranker(asked["reranker"], index.embedder), asked["rerank_depth"]
    if reranker is not None:
        yield RERANKED, lambda _, text: rerank(reranker, text, index.search(text), texts, depth)


def _search(collection: Collection, method: Method) -> tuple[dict[str, Ranking], float]:
    """The ranking of each query, and the median of the milliseconds that one took."""
    rankings, seconds = {}, []
    method(*next(iter(collection.queries.items())))  # The first is slower.
    for query, text in collection.queries.items():
        begun = time.perf_counter()
        rankings[query] = method(query, text)
        seconds.append(time.perf_counter() - begun)
    return rankings, 1000 * statistics.median(seconds)


def _by_id(query: str, ranking: Ranking, ids: list[str]) -> dict[str, float]:
    """Scores by id, without a document that is the query itself, as in BEIR and Anserini."""
    pairs = zip(ranking.numbers.tolist(), ranking.scores.tolist(), strict=True)
    return {ids[number]: score for number, score in pairs if ids[number] != query}


def _write_run(path: Path, name: str, scores: Mapping[str, Mapping[str, float]]) -> None:
    """A file for any evaluator that reads what `trec_eval` reads."""
    with path.open("w") as file:
        for query, found in scores.items():
            for rank, (id_, score) in enumerate(found.items(), start=1):
                file.write(f"{query} Q0 {id_} {rank} {score:.6f} {name}\n")


if __name__ == "__main__":
    sys.exit(main())
