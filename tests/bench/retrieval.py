"""The hybrid index beside its parts, and our BM25 beside rank-bm25, on the same passages."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from clusterlab.config import Source
from jobs.retrieval.analyzer import Analyzer
from jobs.retrieval.bm25 import Bm25
from jobs.retrieval.embedders import load_embedder
from jobs.retrieval.hybrid import Hybrid
from jobs.retrieval.vectors import FLAT, HNSW, vector_index
from tests.bench.figure import Figure

NUM_PASSAGES, NUM_WORDS, VOCABULARY = 100_000, 60, 50_000
NUM_QUERIES, QUERY_WORDS, DEPTH = 200, 8, 100
PAIRS = 3
PART = 4096


def over_parts() -> list[Figure]:
    """A hybrid search against the slower of its two parts."""
    texts, queries = passages(NUM_PASSAGES), passages(NUM_QUERIES, words=QUERY_WORDS, seed=1)
    bm25, embedder = Bm25.of(texts), load_embedder(Source("wordllama"))
    vectors = np.concatenate([embedder.embed(texts[at : at + PART]) for at in range(0, len(texts), PART)])
    found = []
    for kind in (FLAT, HNSW):
        index = Hybrid(bm25=bm25, vectors=vector_index(kind, vectors), embedder=embedder, depth=DEPTH)
        found.append(_over_parts(kind, index, queries))
    return found


def _over_parts(kind: str, index: Hybrid, queries: Sequence[str]) -> Figure:
    """Each query by words, by vectors and by both, in turn."""
    methods = (index.lexical, index.dense, index.search)
    for method in methods:
        method(queries[0])
    times = [[_seconds(partial(method, query), time.perf_counter) for method in methods] for query in queries]
    words, vectors, both = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    ratio = both / max(words, vectors)
    return Figure(
        what=f"Hybrid search, p50, against the slower of its parts alone ({NUM_PASSAGES:,} passages, vectors: {kind})",
        measured=f"{ratio:.2f} ({both:.1f} ms; BM25 {words:.1f} ms, vectors {vectors:.1f} ms, {len(queries)} queries)",
        wanted="at most 1.3",
        met=ratio <= 1.3,
    )


def over_rank_bm25() -> list[Figure]:
    """BM25 of passages whose terms are known, ours and rank-bm25, in turn; each gets them in the form that it takes."""
    from rank_bm25 import BM25Okapi

    analyzer = Analyzer()
    texts = passages(NUM_PASSAGES)
    analysis = _seconds(lambda: analyzer.all_terms(texts))
    terms = analyzer.all_terms(texts)
    words, ids, ends = list(terms.vocabulary), terms.ids.tolist(), terms.offsets.tolist()
    lists = [[words[id_] for id_ in ids[begin:end]] for begin, end in pairwise(ends)]
    pairs = [
        (_seconds(lambda: Bm25.of_terms(terms, analyzer)), _seconds(lambda: BM25Okapi(lists))) for _ in range(PAIRS)
    ]
    ratios = sorted(theirs / ours for ours, theirs in pairs)
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    measured = (
        f"{ratios[PAIRS // 2]:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}, {PAIRS} pairs; {ours:.2f} and {theirs:.2f} s "
        f"of CPU; our analysis of the texts, with stems, takes {analysis:.1f} s before)"
    )
    what = f"BM25 index of analyzed passages against rank-bm25's of the same terms ({NUM_PASSAGES:,} passages)"
    return [Figure(what=what, measured=measured, wanted="at least 10", met=ratios[PAIRS // 2] >= 10)]


def passages(number: int, *, words: int = NUM_WORDS, seed: int = 0) -> list[str]:
    """Words that are made, each as often as Zipf's law has it."""
    names = random.Random(2)
    vocabulary = [
        "".join(names.choice("aeiou") + names.choice("bdfgklmnprst") for _ in range(4)) for _ in range(VOCABULARY)
    ]
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    rng = random.Random(seed)
    return [" ".join(rng.choices(vocabulary, cum_weights=weights, k=words)) + "." for _ in range(number)]


def _seconds(call: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """Of this process's CPU, where nothing else is asked for: what is compared has one thread."""
    begun = clock()
    call()
    return clock() - begun
