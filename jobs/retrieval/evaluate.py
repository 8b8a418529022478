"""What a ranking is worth, by `ir_measures`, which asks trec_eval."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.retrieval.collection import ALL, Collection

MEASURES = {"ndcg_10": "nDCG@10", "recall_10": "R@10", "recall_100": "R@100", "rr_10": "RR@10"}
"""Metrics, with the names that `ir_measures` knows them by; RR@10 averaged over queries is MRR@10."""
Scores = Mapping[str, Mapping[str, float]]
"""Score by document by query."""


def evaluate(collection: Collection, found: Scores) -> dict[str, dict[str, float]]:
    """Each measure by kind of query, `all` first; a query for which nothing was found counts as 0."""
    import ir_measures

    by_measure = {ir_measures.parse_measure(name): metric for metric, name in MEASURES.items()}
    kinds = [ALL, *dict.fromkeys(kind for kind in collection.kinds.values())]
    sums = {kind: dict.fromkeys(MEASURES, 0.0) for kind in kinds}
    for one in ir_measures.iter_calc(list(by_measure), _nested(collection.judgements), _nested(found)):
        for kind in {ALL, collection.kind_of(one.query_id)}:
            sums[kind][by_measure[one.measure]] += one.value
    counts = {kind: sum(kind in (ALL, collection.kind_of(query)) for query in collection.judgements) for kind in kinds}
    return {kind: {metric: total / counts[kind] for metric, total in sums[kind].items()} for kind in kinds}


def _nested(values: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {query: dict(each) for query, each in values.items()}
