from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterlab.config import Source
from clusterlab.errors import UnreachableError
from jobs.retrieval.bm25 import Bm25
from jobs.retrieval.collection import ALL, Collection
from jobs.retrieval.embedders import Embedder, load_embedder
from jobs.retrieval.evaluate import evaluate
from jobs.retrieval.fusion import average, reciprocal_rank
from jobs.retrieval.hybrid import Hybrid
from jobs.retrieval.ranking import Ranking, best
from jobs.retrieval.rerankers import CrossEncoding, MaxSim, load_reranker, rerank
from jobs.retrieval.vectors import QdrantIndex, vector_index

TEXTS = ["A physician repaired the boat.", "Record KX-4821: tax of the market.", "The king lost a clock.", "Rain."]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(Source("wordllama"))


def ranking(*numbers: int, scores: Any = None) -> Ranking:
    return Ranking(
        numbers=np.array(numbers, np.int64),
        scores=np.array(scores if scores is not None else range(len(numbers), 0, -1), np.float32),
    )


def test_fused_scores_are_sums_of_inverse_ranks() -> None:
    fused = reciprocal_rank([ranking(7, 3, 5), ranking(3, 9)], 3)
    assert fused.numbers.tolist() == [3, 7, 9]
    assert fused.scores.tolist() == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])


def test_the_ranks_of_one_ranking_stay_when_the_other_is_empty() -> None:
    assert reciprocal_rank([ranking(4, 2, 9), Ranking.empty()], 9).numbers.tolist() == [4, 2, 9]


def test_averaging_counts_0_for_what_was_not_found() -> None:
    mean = average([ranking(1, 2, scores=[9, 1]), ranking(2, 3, scores=[0.8, 0.6])], 3)
    assert dict(zip(mean.numbers.tolist(), mean.scores.tolist(), strict=True)) == pytest.approx(
        {1: 4.5, 2: 0.9, 3: 0.3}
    )


def test_the_best_are_those_that_sorting_everything_finds() -> None:
    scores = np.random.default_rng(0).integers(0, 9, 100).astype(np.float32)
    assert best(scores, 30, above=0).numbers.tolist() == sorted(range(100), key=lambda at: -scores[at])[:30]
    assert (best(scores, 100, above=0).scores > 0).all()


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 1], ids=lambda share: f"{share:g}-found")
def test_the_best_of_many_are_those_that_sorting_all_gives(share: float) -> None:
    rng = np.random.default_rng(0)
    scores = np.where(rng.random(20_000) < share, rng.integers(1, 50, 20_000), 0).astype(np.float32)
    found = np.flatnonzero(scores > 0)
    wanted = found[np.argsort(-scores[found], kind="stable")]
    for k in (1, 100, 30_000):
        ranking = best(scores, k, above=0)
        assert ranking.numbers.tolist() == wanted[:k].tolist()
        assert ranking.scores.tolist() == scores[wanted[:k]].tolist()


@pytest.fixture(scope="module")
def vectors() -> Any:
    drawn = np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def indices(vectors: Any) -> dict[str, Any]:
    from qdrant_client import QdrantClient

    found: dict[str, Any] = {kind: vector_index(kind, vectors) for kind in ("flat", "hnsw")}
    # The client's own store without a server: same calls, same answers.
    return found | {"qdrant": QdrantIndex(QdrantClient(":memory:"), vectors)}


def test_every_index_finds_the_nearest_vectors(vectors: Any) -> None:
    query = vectors[:20] + 0.3 * vectors[20:40]
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    for name, index in indices(vectors).items():
        for each in query:
            wanted = best(vectors @ each, 10)
            found = index.search(each, 10)
            assert found.numbers.tolist() == wanted.numbers.tolist(), name
            assert found.scores.tolist() == pytest.approx(wanted.scores.tolist(), abs=1e-5), name


def test_an_index_that_has_fewer_gives_what_it_has(vectors: Any) -> None:
    assert [len(index.search(vectors[0], 50).numbers) for index in indices(vectors[:7]).values()] == [7, 7, 7]


def test_a_server_of_vectors_that_is_not_there_is_unreachable(vectors: Any) -> None:
    with pytest.raises(UnreachableError, match=r"INDEX: the Qdrant server gave no answer"):
        vector_index("http://127.0.0.1:9", vectors)


def test_a_hybrid_finds_a_number_by_words_and_a_synonym_by_vectors(embedder: Embedder) -> None:
    index = Hybrid(bm25=Bm25.of(TEXTS), vectors=vector_index("flat", embedder.embed(TEXTS)), embedder=embedder, depth=4)
    assert index.lexical("KX-4821").numbers.tolist() == [1]
    assert len(index.lexical("monarch mislaid timepiece").numbers) == 0
    assert index.dense("monarch mislaid timepiece").numbers[0] == 2
    assert [index.search(query).numbers[0] for query in ("KX-4821", "monarch mislaid timepiece")] == [1, 2]
    assert index.search_all(["nothing", "doctor fixed ship"]).numbers[0] == 0


def test_vectors_of_texts_have_length_1_and_those_of_tokens_too(embedder: Embedder) -> None:
    short, longer = embedder.tokens(["king", TEXTS[0]])
    assert embedder.embed(TEXTS).shape == (4, 256)
    for each in (embedder.embed(TEXTS), short, longer):
        assert np.linalg.norm(each, axis=1) == pytest.approx(1, abs=1e-5)
    assert len(short) < len(longer)


def test_a_reranker_orders_the_first_and_leaves_the_rest_behind_them(embedder: Embedder) -> None:
    reranker = load_reranker(Source("maxsim"), embedder)
    assert isinstance(reranker, MaxSim)
    assert load_reranker(Source("none"), embedder) is None
    again = rerank(reranker, "the king", ranking(3, 0, 2, 1), TEXTS, 3)
    assert again.numbers.tolist() == [2, 0, 3, 1]
    assert (np.diff(again.scores) < 0).all()


def test_a_folder_is_an_embedder_or_a_cross_encoder(tmp_path: Path) -> None:
    """Random weights: what is tested is that a path stands for a hub id."""
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "king", "boat", "rain"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(words), num_labels=1, **sizes)
    for model, name in ((BertModel(config), "embedder"), (BertForSequenceClassification(config), "cross")):
        model.save_pretrained(tmp_path / name)
        BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / name)
    embedder = load_embedder(Source(str(tmp_path / "embedder")))
    assert np.linalg.norm(embedder.embed(["the king", "rain"]), axis=1) == pytest.approx(1, abs=1e-5)
    assert [each.shape for each in embedder.tokens(["the king"])] == [(4, 16)]
    reranker = load_reranker(Source(str(tmp_path / "cross")), embedder)
    assert isinstance(reranker, CrossEncoding)
    assert len(reranker.scores("the king", ["boat", "rain"])) == 2


def test_measures_are_those_of_trec_eval() -> None:
    collection = Collection(
        documents=dict.fromkeys("abcd", ""),
        queries={"1": "", "2": ""},
        judgements={"1": {"a": 1, "b": 1}, "2": {"c": 1}},
        kinds={"1": "code", "2": "words"},
    )
    found = evaluate(collection, {"1": {"d": 3.0, "a": 2.0, "b": 1.0}, "2": {}})
    dcg = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert found["code"] == pytest.approx({"ndcg_10": dcg, "recall_10": 1, "recall_100": 1, "rr_10": 0.5})
    assert found["words"] == dict.fromkeys(found["words"], 0)
    assert found[ALL] == pytest.approx({name: value / 2 for name, value in found["code"].items()})
