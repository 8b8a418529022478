from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest

from clusterlab.config import Scale, Source, parse
from clusterlab.errors import InputError, MissingError, UnreachableError
from clusterlab.run import Run, find_runs
from jobs import rag
from jobs.launch import exchange
from jobs.launch.environments import python_of
from jobs.launch.folder import RUNS_VARIABLE, VARIABLE
from jobs.rag import Config, main
from jobs.retrieval import measure
from jobs.retrieval.collection import Collection
from jobs.retrieval.embedders import load_embedder
from jobs.retrieval.ingest import ENVIRONMENT, Ingested
from jobs.retrieval.made import thesaurus
from jobs.retrieval.published import load_collection
from jobs.retrieval.rewriters import Scripted
from jobs.serving.endpoint import KEY_VARIABLE
from tests.jobs.thinking.conftest import Answer, StandIn, serve
from tests.repository import ROOT

__all__ = ["serve"]

GIVEN = {"SCALE": "tiny", "NUM_DOCUMENTS": "120", "NUM_QUERIES": "30", "COPIES": "1"}
SERVED = {"REWRITER": "served", "SERVED_MODEL": "made-up"}


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_collection_and_an_embedder(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).collection in ("made", "scifact", "nfcorpus")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"COLLECTION": "nowhere"}, "COLLECTION=nowhere: allowed: made, scifact, nfcorpus, or a folder in BEIR's form"),
        ({"EMBEDDER": "bert"}, "EMBEDDER=bert: allowed: wordllama, minilm, a folder, or org/name@"),
        ({"RERANKER": "bert"}, "RERANKER=bert: allowed: none, maxsim, a folder"),
        ({"INDEX": "faiss"}, "INDEX=faiss: flat, hnsw, or a URL: no URL of a server"),
        ({"REWRITER": "gpt"}, "REWRITER=gpt: allowed: none, scripted, served"),
        ({"REWRITER": "served", "ENDPOINT": "gpt", "SERVED_MODEL": "m"}, "ENDPOINT=gpt: no URL of a server"),
        ({"REWRITER": "served", "SERVED_MODEL": "m"}, "ENDPOINT, SERVED_MODEL: allowed: both or none"),
        (
            {"ENDPOINT": "http://127.0.0.1:1", "SERVED_MODEL": "m"},
            "ENDPOINT=http://127.0.0.1:1: allowed with it: REWRITER=served, not scripted",
        ),
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama"),
        ({"COLLECTION": ".", "REWRITER": "scripted"}, "REWRITER=scripted: knows the words of COLLECTION=made alone"),
        ({"WORKERS": "1,0"}, "WORKERS=1,0: allowed: numbers above 0 with commas between, such as 1,2"),
        ({"NUM_DOCUMENTS": "2000"}, "NUM_DOCUMENTS=2000: allowed: NUM_QUERIES=90 to 1000"),
        ({"ANSWER_SECONDS": "0"}, "ANSWER_SECONDS=0.0: must be above 0"),
        ({"DEPTH": "0", "SEED": "-1"}, "DEPTH=0: must be 1 or more; SEED=-1: must be 0 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag, "ENVIRONMENT", "nowhere")
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's folder of a job that does in this process what it does in Ray's and in another environment."""

    def ingest(texts: Sequence[str], embedder: Source, num_workers: int) -> Ingested:
        return Ingested(vectors=load_embedder(embedder).embed(texts), seconds=1 / num_workers, num_workers=num_workers)

    def run_module(_module: str, folder: Path, **_: object) -> None:
        assert measure.main([str(folder)]) == 0

    def run_worker(work: Any, config: Config, **_: object) -> dict[str, float]:
        found: dict[str, float] = work(config)
        return found

    monkeypatch.setattr(rag, "ingest", ingest)
    monkeypatch.setattr(rag, "run_worker", run_worker)
    monkeypatch.setattr(exchange, "run_module", run_module)
    monkeypatch.setattr(rag, "python_of", str)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def test_each_part_finds_its_kind_and_fusing_loses_neither(folder: Path) -> None:
    metrics = main(parse(Config, GIVEN))
    assert metrics["ndcg_10_bm25_code"] == metrics["ndcg_10_bm25_words"] == 1
    assert metrics["ndcg_10_bm25_paraphrase"] == 0 < metrics["ndcg_10_dense_paraphrase"]
    assert metrics["recall_100_hybrid"] > max(metrics["recall_100_bm25"], 0.95)
    assert metrics["ndcg_10_multi_query_paraphrase"] > metrics["ndcg_10_hybrid_paraphrase"]
    assert (metrics["documents_per_second_1"], metrics["scaling"]) == (120, 2)
    table = (folder / "table.md").read_text()
    assert "| both, ranks fused (RRF) | " in table
    assert "Wordings: scripted, no model." in table
    assert (folder / "retrieval.png").stat().st_size > 10_000


def test_its_run_files_say_the_same_to_another_evaluator(folder: Path) -> None:
    metrics = main(parse(Config, GIVEN))
    judgements = load_collection("made", num_documents=120, num_queries=30, seed=0).judgements
    run = ir_measures.read_trec_run(str(folder / "hybrid.trec"))
    found = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], {q: dict(each) for q, each in judgements.items()}, run)
    assert found[ir_measures.nDCG @ 10] == pytest.approx(metrics["ndcg_10_hybrid"])


def test_wordings_of_a_served_model_are_searched_for_and_kept_for_a_run_that_goes_on(
    serve: Callable[[Answer], StandIn], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knowing(body: dict[str, Any]) -> list[str]:
        query = body["messages"][-1]["content"]
        return [json.dumps(Scripted(words=thesaurus(), number=2).rewrite(query))]

    monkeypatch.setenv(KEY_VARIABLE, "secret")
    stand_in = serve(knowing)
    values = GIVEN | SERVED | {"ENDPOINT": stand_in.url}
    metrics = main(parse(Config, values))
    assert metrics["ndcg_10_multi_query_paraphrase"] > metrics["ndcg_10_hybrid_paraphrase"]
    assert (metrics["failed_wordings"], len(stand_in.bodies)) == (0, 30)
    assert {body["model"] for body in stand_in.bodies} == {"made-up"}
    assert "Wordings: made-up." in (folder / "table.md").read_text()
    assert main(parse(Config, values)) == metrics
    assert len(stand_in.bodies) == 30


def test_an_endpoint_that_is_down_is_an_error_and_the_other_methods_are_kept(folder: Path) -> None:
    with pytest.raises(
        UnreachableError, match=r"REWRITER: no query has other wordings: http://127\.0\.0\.1:9: no reply"
    ):
        main(parse(Config, GIVEN | SERVED | {"ENDPOINT": "http://127.0.0.1:9"}))
    table = (folder / "table.md").read_text()
    assert "| both, ranks fused (RRF) | " in table
    assert "several wordings" not in table
    assert not (folder / "parts" / "measured.json").exists()


def test_a_document_that_is_the_query_itself_is_not_found(tmp_path: Path) -> None:
    texts = {"1": "a doctor repaired the boat", "2": "the doctor", "3": "rain"}
    collection = Collection(documents=texts, queries={"1": "doctor boat"}, judgements={"1": {"2": 1}})
    collection.save(tmp_path)
    np.save(tmp_path / measure.VECTORS, load_embedder(Source("wordllama")).embed(list(texts.values())))
    asked: dict[str, Any] = {"collection": {"name": str(tmp_path), "num_documents": 1, "num_queries": 1, "seed": 0}}
    asked |= {"embedder": "wordllama", "query_prefix": "", "index": "flat", "depth": 9, "rewrites": {}}
    found = measure.measure(asked | {"reranker": "none", "rerank_depth": 1}, tmp_path)
    assert list(found["methods"]) == ["bm25", "dense", "averaged", "hybrid"]
    assert found["methods"]["bm25"]["kinds"]["all"]["rr_10"] == 1
    assert (tmp_path / "bm25.trec").read_text().split()[:4] == ["1", "Q0", "2", "1"]


def test_the_job_ingests_through_ray_data_in_the_environment_for_retrieval(tmp_path: Path) -> None:
    try:
        python_of(ENVIRONMENT)
    except MissingError as error:
        pytest.skip(str(error))
    environment = os.environ | GIVEN | {RUNS_VARIABLE: str(tmp_path), "WORKERS": "2", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-m", "jobs.submit", "rag"], cwd=ROOT, env=environment, check=True)
    [(folder, run)] = find_runs(tmp_path)
    assert isinstance(run, Run)
    assert run.metrics["ndcg_10_bm25_code"] == 1
    vectors = np.load(folder / "vectors.npy")
    texts = list(load_collection("made", num_documents=120, num_queries=30, seed=0).documents.values())
    assert vectors == pytest.approx(load_embedder(Source("wordllama")).embed(texts), abs=1e-5)
    assert json.loads((folder / "parts" / "ingested-2.json").read_text())["documents_per_second"] > 0
