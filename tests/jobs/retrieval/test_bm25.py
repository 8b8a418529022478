from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.retrieval.analyzer import LONGEST, Analyzer
from jobs.retrieval.bm25 import Bm25, encoded_lengths

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("lucene.json").read_text())
"""What Anserini scored, and `how` it was asked."""


@pytest.fixture(scope="module")
def index() -> Bm25:
    return Bm25.of(RECORDED["documents"])


@pytest.mark.parametrize("query", RECORDED["queries"], ids=lambda query: str(query["text"]))
def test_scores_are_those_of_lucene(index: Bm25, query: dict[str, Any]) -> None:
    ranking = index.search(query["text"], len(RECORDED["documents"]))
    scores = dict(zip(ranking.numbers.tolist(), ranking.scores.tolist(), strict=True))
    best = sorted(scores.values(), reverse=True)[: len(query["scores"])]
    assert best == pytest.approx(sorted(query["scores"].values(), reverse=True), abs=6e-5)
    assert {number: scores[int(number)] for number in query["scores"]} == pytest.approx(query["scores"], abs=6e-5)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The U.S.A.'s growth isn't 3.5% of 1,000", ["u.s.a", "s", "growth", "isn't", "3.5", "1,000"]),
        ("John\u2019s re-entry, IL-2; foo:bar 10:30", ["john", "re", "entri", "il", "2", "foo:bar", "10", "30"]),
        (
            "a_b __ x\u00b2 na\u00efve \u4e2d\u6587 \U0001f917",
            ["a_b", "x", "na\u00efv", "\u4e2d", "\u6587", "\U0001f917"],
        ),
        ("relational analogies generalize possibly", ["relat", "analog", "gener", "possibl"]),
        ("x" * (LONGEST + 3), ["x" * LONGEST, "xxx"]),
        ("of the and", []),
        ("", []),
    ],
)
def test_terms_are_those_of_lucenes_analyzer(text: str, terms: list[str]) -> None:
    assert Analyzer().terms(text) == terms


def test_many_texts_have_the_terms_that_each_has_alone() -> None:
    texts = ["", *RECORDED["documents"], "of the", "", "last  one\n"]
    found = Analyzer().all_terms(texts)
    words = list(found.vocabulary)
    for number, text in enumerate(texts):
        ids = found.ids[found.offsets[number] : found.offsets[number + 1]]
        assert [words[id_] for id_ in ids] == Analyzer().terms(text)


def test_a_length_is_exact_below_40_and_then_has_four_binary_digits() -> None:
    lengths = np.arange(200)
    kept = encoded_lengths(lengths)
    assert (kept[:40] == lengths[:40]).all()
    assert [kept[number] for number in (40, 41, 56, 57, 59, 60, 199)] == [40, 40, 56, 56, 56, 60, 184]


def test_equal_texts_come_in_their_order_also_at_the_cut() -> None:
    index = Bm25.of(["other", *["same words"] * 50])
    assert index.search("words", 5).numbers.tolist() == [1, 2, 3, 4, 5]


def test_a_query_without_a_known_term_finds_nothing() -> None:
    index = Bm25.of(["one text", "of the"])
    assert [len(index.search(query, 5).numbers) for query in ("", "the", "unknown", "text")] == [0, 0, 0, 1]
