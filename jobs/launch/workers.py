"""Run a function in a Ray worker that is begun again when it dies."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clusterlab.errors import ClusterlabError
from jobs.launch.folder import VARIABLE as FOLDER_VARIABLE
from jobs.launch.folder import run_folder, small_files, write_files

C = TypeVar("C")


def run_worker(train: Callable[[C], dict[str, float]], config: C, *, max_failures: int) -> dict[str, float]:
    """Call `train(config)` in one worker process, on a GPU where the cluster has one and else on all CPUs of a node.

    A worker that dies is begun again at most `max_failures` times; `train` goes on from its own checkpoint. One process
    needs no process group, so this is a Ray task: it starts in a third of the time of a Ray Train worker group.

    Where it runs on another node than the caller, small files of the run's folder come back; its checkpoints stay.

    Returns what `train` returned.

    Raises:
        ClusterlabError: `train` raised one.
    """
    import ray

    ray.init(ignore_reinit_error=True)
    use_gpu = ray.cluster_resources().get("GPU", 0) >= 1
    task = ray.remote(_work).options(
        num_gpus=1 if use_gpu else 0,
        num_cpus=1 if use_gpu else _cpus_of_a_node(),
        max_retries=max_failures,
        # An error that the code raised would only be raised again.
        retry_exceptions=False,
    )
    here = ray.get_runtime_context().get_node_id()
    outcome: _Outcome = ray.get(task.remote(train, config, Path.cwd(), run_folder(), here))
    write_files(run_folder(), outcome.files)
    if outcome.error is not None:
        error = ClusterlabError(outcome.error)
        error.exit_code = outcome.exit_code
        raise error
    return outcome.metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What a worker sends back."""

    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    exit_code: int = 0
    files: dict[str, bytes] = field(default_factory=dict)


def _work(train: Callable[[C], dict[str, float]], config: C, cwd: Path, folder: Path, caller: str) -> _Outcome:
    import ray

    if cwd.is_dir():
        os.chdir(cwd)  # A model that is given as a relative path is meant from there.
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        outcome = _Outcome(metrics=train(config))
    except ClusterlabError as error:
        outcome = _Outcome(error=str(error), exit_code=error.exit_code)
    if ray.get_runtime_context().get_node_id() == caller:
        return outcome
    return dataclasses.replace(outcome, files=small_files(folder))


def _cpus_of_a_node() -> int:
    import ray

    return int(max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))
