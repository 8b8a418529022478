"""Ingestion as a Ray Data job: documents stream through workers that embed them; twice the workers, twice the rate."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.config import Source
from jobs.launch.environments import ROOT, python_of

ENVIRONMENT = "rag"
BATCH = 256
BLOCKS = 32
"""At least so many parts that workers can share the work evenly."""
START_SECONDS = 300
"""How long workers may take to load their model; the work begins when all have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingested:
    """What came out."""

    vectors: Any
    """float32, (texts, dimensions), in the order of the texts."""
    seconds: float
    """From the first batch's begin to the last one's end; without the start of workers."""
    num_workers: int
    """That did something."""


def ingest(texts: Sequence[str], embedder: Source, num_workers: int) -> Ingested:
    """Embed texts in so many workers of the cluster, in the environment for retrieval.

    Raises:
        MissingError: there is no such environment here.
    """
    import numpy as np
    import ray

    ray.init(ignore_reinit_error=True)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.wait_for_min_actors_s = False, START_SECONDS
    documents = [{"number": number, "text": text} for number, text in enumerate(texts)]
    rows = ray.data.from_items(documents, override_num_blocks=max(BLOCKS, num_workers))
    embedded = rows.map_batches(
        Worker,
        fn_constructor_args=(embedder,),
        batch_size=BATCH,
        compute=ray.data.ActorPoolStrategy(size=num_workers),
        **_resources(num_workers),
    )
    parts = list(embedded.iter_batches(batch_size=None, batch_format="numpy"))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(whole["number"])
    return Ingested(
        vectors=np.stack(list(whole["vector"][order])).astype(np.float32),
        seconds=float(whole["ended"].max() - whole["began"].min()),
        num_workers=len(set(whole["worker"].tolist())),
    )


class Worker:
    """A process that has loaded the embedder."""

    def __init__(self, embedder: Source) -> None:
        from jobs.retrieval.embedders import load_embedder

        self._embedder = load_embedder(embedder)
        self._embedder.embed(["The first is slower."])

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Embed a batch, and say when and by whom."""
        import numpy as np

        began = time.time()
        vectors = self._embedder.embed(batch["text"].tolist())
        size = len(vectors)
        times = {"began": np.full(size, began), "ended": np.full(size, time.time())}
        return {"number": batch["number"], "vector": vectors, "worker": np.full(size, os.getpid())} | times


def _resources(num_workers: int) -> dict[str, Any]:
    """What Ray is told of each worker: its interpreter, and its part of the GPUs where there are any."""
    import ray

    # A worker is one core: more threads would take those of the others.
    variables = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT)}
    environment = {"py_executable": python_of(ENVIRONMENT), "env_vars": variables}
    gpus = ray.cluster_resources().get("GPU", 0)
    return {"num_cpus": 1, "num_gpus": min(1.0, gpus / num_workers), "runtime_env": environment}
