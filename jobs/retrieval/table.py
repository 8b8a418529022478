"""What each method found, as a table of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.launch.markdown import table
from jobs.retrieval.collection import ALL
from jobs.retrieval.evaluate import MEASURES
from jobs.retrieval.measure import AVERAGED, BM25, DENSE, HYBRID, MULTI_QUERY, RERANKED

LABELS = {
    BM25: "BM25: words",
    DENSE: "dense: vectors",
    AVERAGED: "both, scores averaged",
    HYBRID: "both, ranks fused (RRF)",
    MULTI_QUERY: "the same, several wordings",
    RERANKED: "ranks fused, then reranked",
}
HEADS = {"ndcg_10": "nDCG@10", "recall_10": "recall@10", "recall_100": "recall@100", "rr_10": "MRR@10"}


def markdown(methods: Mapping[str, Mapping[str, Any]], rates: Mapping[int, float], rewriter: str) -> str:
    """A line for each method, with nDCG@10 by kind of query where there are kinds, and the rates of ingestion."""
    kinds = [kind for kind in next(iter(methods.values()))["kinds"] if kind != ALL]
    heads = ["method", *(HEADS[name] for name in MEASURES), *(f"nDCG@10, {kind}" for kind in kinds), "p50, ms"]
    rows = []
    for name, method in methods.items():
        values = [method["kinds"][ALL][measure] for measure in MEASURES]
        values += [method["kinds"][kind]["ndcg_10"] for kind in kinds]
        rows.append([LABELS[name], *(f"{value:.4f}" for value in values), f"{method['p50_ms']:.1f}"])
    wordings = f"Wordings: {rewriter}.\n" if MULTI_QUERY in methods else ""
    speed = ", ".join(f"{rate:,.0f} with {workers}" for workers, rate in rates.items())
    return f"{table(heads, rows)}\n{wordings}Documents a second by workers of the ingestion: {speed}.\n"
