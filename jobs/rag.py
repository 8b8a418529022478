"""Retrieval for RAG: words, vectors, both fused, several wordings of a question, and a second look at what was found.

python -m jobs.submit rag
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clusterlab.config import PINNED, Scale, Source, by_scale, range_problems, source_problems
from clusterlab.errors import UnreachableError
from jobs.launch import exchange
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import SMOLLM2_360M
from jobs.load.target import split_url
from jobs.retrieval.collection import ALL, Collection
from jobs.retrieval.embedders import MINILM, PACKAGED, WORDLLAMA
from jobs.retrieval.ingest import ENVIRONMENT, ingest
from jobs.retrieval.made import MADE, MOST, thesaurus
from jobs.retrieval.measure import VECTORS
from jobs.retrieval.picture import draw
from jobs.retrieval.published import NAMES, load_collection
from jobs.retrieval.rerankers import MADE as RERANKERS
from jobs.retrieval.rerankers import MAXSIM, NONE
from jobs.retrieval.rewriters import SCRIPTED, SERVED, Scripted, Served
from jobs.retrieval.table import markdown
from jobs.retrieval.vectors import EMBEDDED, FLAT
from jobs.retrieval.wording import PARALLEL, Wordings, collect, kept
from jobs.serving.access import access, base_folder, endpoint_problems
from jobs.serving.engine import engine_of

BGE = Source("BAAI/bge-base-en-v1.5@a5beb1e3e68b9ab74eb54cfd186867f64f240e1a")
BGE_PREFIX = "Represent this sentence for searching relevant passages: "
"""What BGE was trained to see before a query."""
WORDINGS, FAILURES = "wordings.jsonl", "failed_wordings.json"
REWRITERS = (NONE, SCRIPTED, SERVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One collection, indexed by words and by vectors."""

    scale: Scale
    """How big; sets every value below that is not given."""
    collection: str = by_scale(tiny=MADE, small=MADE, single="scifact", full="nfcorpus")
    """`made`, a collection of BEIR that is downloaded (`scifact`, `nfcorpus`), or a folder in BEIR's form."""
    num_documents: int = by_scale(tiny=600, small=1000, single=1000, full=1000)
    """That are made, where the collection is."""
    num_queries: int = by_scale(tiny=90, small=90, single=300, full=300)
    """That are made, where the collection is."""
    embedder: Source = by_scale(tiny=WORDLLAMA, small=MINILM, single=BGE, full=BGE)
    """Makes the vectors: `wordllama` or `minilm`, which a package carries, a folder, or a hub id with revision."""
    query_prefix: str = by_scale(tiny="", small="", single=BGE_PREFIX, full=BGE_PREFIX)
    """What the embedder sees before each query."""
    index: str = FLAT
    """Of the vectors: `flat` and `hnsw` are FAISS in this process; the URL of a Qdrant server is asked over HTTP."""
    depth: int = by_scale(tiny=100, small=100, single=1000, full=1000)
    """Documents that each part of the hybrid index gives; at 1000 as in Anserini."""
    reranker: Source = by_scale(tiny=MAXSIM, small=MAXSIM, single=NONE, full=NONE)
    """`none`, `maxsim` on the embedder's tokens, or the folder or hub id with revision of a cross-encoder."""
    rerank_depth: int = 20
    """Documents that it looks at."""
    rewriter: str = by_scale(tiny=SCRIPTED, small=SERVED, single=NONE, full=NONE)
    """Of queries: `none`, `scripted` (no model; knows the words of `made`), or `served`, a model behind an endpoint."""
    endpoint: str | None = None
    """A running server of OpenAI's protocol, such as http://127.0.0.1:8000; without one the job starts its own."""
    served_model: str | None = None
    """The name that ENDPOINT serves the model by."""
    engine: str = by_scale(tiny="transformers", small="transformers", single="vllm", full="vllm")
    """What serves, where there is no ENDPOINT: a name in `ENGINES` of jobs/serving/engine.py."""
    model: Source = by_scale(
        tiny="smollm2-135m-instruct", small="smollm2-135m-instruct", single=SMOLLM2_360M, full=SMOLLM2_360M
    )
    """Likewise: a hub id with revision, a folder, or a base that the project makes; one with a chat template."""
    num_wordings: int = 2
    """Asked for beside the query's own."""
    answer_seconds: float = by_scale(tiny=60.0, small=300.0, single=60.0, full=60.0)
    """How long the server may take for one query."""
    max_model_len: int = 1024
    """Of a server that this job starts: tokens of a prompt and its answer together."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long such a server may take until it can be asked."""
    workers: str = by_scale(tiny="1,2", small="1,2", single="1", full="1,2")
    """Numbers of workers that embed the collection, one after the other; they share the GPUs where there are any."""
    copies: int = by_scale(tiny=40, small=1, single=1, full=1)
    """Of the collection that are embedded, so that there is time to measure."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("num_documents", "num_queries", "depth", "rerank_depth", "num_wordings", "copies", "ready_seconds")
        least = dict.fromkeys(counts, 1) | {"max_model_len": 256, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least, above_zero=["answer_seconds"])
        if not self.num_queries <= self.num_documents <= MOST:
            wrong.append(f"NUM_DOCUMENTS={self.num_documents}: allowed: NUM_QUERIES={self.num_queries} to {MOST}")
        if self.collection not in NAMES and not Path(self.collection).is_dir():
            wrong.append(f"COLLECTION={self.collection}: allowed: {', '.join(NAMES)}, or a folder in BEIR's form")
        wrong += source_problems(self, {"embedder": PACKAGED, "reranker": RERANKERS, "model": MADE_BASES})
        wrong += _index_problem(self.index)
        wrong += endpoint_problems(self)
        if self.rewriter not in REWRITERS:
            wrong.append(f"REWRITER={self.rewriter}: allowed: {', '.join(REWRITERS)}")
        if self.endpoint is not None and self.rewriter != SERVED:
            wrong.append(f"ENDPOINT={self.endpoint}: allowed with it: REWRITER={SERVED}, not {self.rewriter}")
        if self.rewriter == SCRIPTED and self.collection != MADE:
            wrong.append(f"REWRITER={SCRIPTED}: knows the words of COLLECTION={MADE} alone")
        numbers = self.workers.split(",")
        if not all(number.isdecimal() and int(number) > 0 for number in numbers):
            wrong.append(f"WORKERS={self.workers}: allowed: numbers above 0 with commas between, such as 1,2")
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Ingest, rewrite, search and judge, and return the metrics that go into the run record.

    `ndcg_10_*`, `recall_10_*`, `recall_100_*` and `rr_10_*` are means over queries by method, followed by the kind of
    query where there are kinds; `p50_ms_*` is the time of a search. `documents_per_second_*` is the rate of ingestion
    by workers, and `scaling` the last of them over the first. `seconds_to_index_*` is the making of each index.

    Raises:
        InputError: the collection is not what it should be.
        UnreachableError: a server gave no wordings at all; what was measured without it is kept.
        MissingError: an environment is not there; says what makes it.
    """
    python_of(ENVIRONMENT)
    if config.rewriter == SERVED and config.endpoint is None:
        python_of(engine_of(config.engine).environment)
    collection = load_collection(**_asked_collection(config))
    parts = Finished(folder=run_folder() / "parts")
    speeds = _ingested(config, collection, parts)
    wordings = _wordings(config, collection)
    found = _measured(config, wordings, parts)
    _write(config, found, speeds)
    if wordings.failures and not wordings.by_query:
        reason = next(iter(wordings.failures.values()))
        raise UnreachableError(f"REWRITER: no query has other wordings: {reason}; {run_folder()} has the other methods")
    return _metrics(found, speeds, wordings)


def _index_problem(index: str) -> list[str]:
    if index in EMBEDDED:
        return []
    try:
        split_url(index)
    except ValueError as error:
        return [f"INDEX={index}: {', '.join(EMBEDDED)}, or a URL: {error}"]
    return []


def _asked_collection(config: Config) -> dict[str, Any]:
    values = {name: getattr(config, name) for name in ("num_documents", "num_queries", "seed")}
    return {"name": config.collection, **values}


def _ingested(config: Config, collection: Collection, parts: Finished) -> dict[int, float]:
    """Documents a second by workers, each number once."""
    speeds = {}
    for number in map(int, config.workers.split(",")):
        found = parts.once(f"ingested-{number}", partial(_ingest, config, collection, number))
        speeds[number] = float(found["documents_per_second"])
    return speeds


def _ingest(config: Config, collection: Collection, num_workers: int) -> dict[str, float]:
    """Embed the collection so many times over; the vectors of the first copy are kept."""
    import numpy as np

    texts = list(collection.documents.values())
    done = ingest(texts * config.copies, config.embedder, num_workers)
    np.save(run_folder() / VECTORS, done.vectors[: len(texts)])
    rate = len(texts) * config.copies / done.seconds
    report("ingest", num_workers, num_workers, documents_per_second=rate)
    return {"documents_per_second": rate, "workers": done.num_workers}


def _wordings(config: Config, collection: Collection) -> Wordings:
    """Other wordings of each query; none where none are asked for."""
    path, failed = run_folder() / WORDINGS, run_folder() / FAILURES
    if config.rewriter == NONE:
        return Wordings()
    if config.rewriter == SCRIPTED:
        return collect(collection.queries, Scripted(words=thesaurus(), number=config.num_wordings), path)
    failures: dict[str, str] = {}
    if kept(path).keys() != collection.queries.keys():
        place = Place(num_gpus=1 if config.endpoint is None else 0, here=True)
        run_worker(_rewrite, config, max_failures=config.max_failures, place=place)
        failures = json.loads(failed.read_text())
    return Wordings(by_query=kept(path), failures=failures)


def _rewrite(config: Config) -> dict[str, float]:
    """In a worker: ask a server for wordings, one of its own where none is given, and write them down."""
    queries = load_collection(**_asked_collection(config)).queries
    with access(config, lambda: base_folder(config.model), served_name=_name(config), max_slots=PARALLEL) as endpoint:
        rewriter = Served(endpoint=endpoint, number=config.num_wordings, limit_seconds=config.answer_seconds)
        found = collect(queries, rewriter, run_folder() / WORDINGS, partial(report, "wordings"))
    (run_folder() / FAILURES).write_text(json.dumps(found.failures, indent=2))
    return {}


def _name(config: Config) -> str:
    """That the rewriter's model is served by."""
    return config.served_model or config.model.partition("@")[0]


def _measured(config: Config, wordings: Wordings, parts: Finished) -> dict[str, Any]:
    """What every method finds, in a process of the environment for retrieval, on a GPU where there is one.

    It is kept for a run that goes on only where no wording is missing.
    """
    names = ("embedder", "query_prefix", "index", "depth", "reranker", "rerank_depth")
    asked = {name: getattr(config, name) for name in names}
    asked |= {"collection": _asked_collection(config), "rewrites": wordings.by_query}

    def measure() -> dict[str, Any]:
        run_worker(partial(_measure, asked), config, max_failures=config.max_failures, place=Place(here=True))
        return exchange.read_answer(run_folder())

    return measure() if wordings.failures else parts.once("measured", measure)


def _measure(asked: Mapping[str, Any], _config: Config) -> dict[str, float]:
    """In a worker: the process that measures."""
    module, folder = "jobs.retrieval.measure", run_folder()
    exchange.ask(module, asked, folder, environment=ENVIRONMENT, num_threads=1, log=folder / "measure.log")
    return {}


def _write(config: Config, found: Mapping[str, Any], rates: Mapping[int, float]) -> None:
    """The table and the picture."""
    rewriter = "scripted, no model" if config.rewriter == SCRIPTED else _name(config)
    (run_folder() / "table.md").write_text(markdown(found["methods"], rates, rewriter))
    names = config.embedder.partition("@")[0] if PINNED.fullmatch(config.embedder) else Path(config.embedder).name
    title = f"Retrieval, {Path(config.collection).name}; vectors of {names}"
    draw(found["methods"], rates, title, run_folder() / "retrieval.png")


def _metrics(found: Mapping[str, Any], rates: Mapping[int, float], wordings: Wordings) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, method in found["methods"].items():
        for kind, values in method["kinds"].items():
            ending = "" if kind == ALL else f"_{kind}"
            metrics |= {f"{measure}_{name}{ending}": value for measure, value in values.items()}
        metrics[f"p50_ms_{name}"] = method["p50_ms"]
    metrics |= {f"documents_per_second_{number}": rate for number, rate in rates.items()}
    rate = list(rates.values())
    metrics |= {f"seconds_to_index_{name}": seconds for name, seconds in found["seconds"].items()}
    return metrics | {"scaling": rate[-1] / rate[0], "failed_wordings": len(wordings.failures)}
