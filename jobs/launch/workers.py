"""Run a function in a Ray worker that is begun again when it dies."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.request import STOP_SECONDS
from clusterlab.submission.results import write_files
from jobs.launch.folder import VARIABLE as FOLDER_VARIABLE
from jobs.launch.folder import run_folder, small_files

END_SECONDS = STOP_SECONDS - 5
"""How long a worker that is stopped has to end by itself; the job itself has so many more."""

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What a worker takes of a cluster."""

    num_gpus: int = 1
    """Of one node, where the cluster has any; of 0 it takes no CPUs either, and asks Ray itself for what it needs."""
    here: bool = False
    """Whether it is on the caller's node, where a tunnel to the cluster leads; unless that has no such GPUs."""


def run_worker(
    train: Callable[[C], dict[str, float]], config: C, *, max_failures: int, place: Place | None = None
) -> dict[str, float]:
    """Call `train(config)` in one worker process, on a GPU where the cluster has one and else on all CPUs of a node.

    A worker that dies is begun again at most `max_failures` times; `train` goes on from its own checkpoint. One process
    needs no process group, so this is a Ray task: it starts in a third of the time of a Ray Train worker group.

    Where it runs on another node than the caller, small files of the run's folder come back; its checkpoints stay.
    When the caller is stopped, `train` gets a KeyboardInterrupt, and is waited for while it ends what it has begun.

    Returns what `train` returned.

    Raises:
        InputError: no node has so many GPUs.
        ClusterlabError: `train` raised one.
    """
    import ray

    ray.init(ignore_reinit_error=True)
    task = ray.remote(_work).options(
        **_resources(place or Place()),
        max_retries=max_failures,
        # An error that the code raised would only be raised again.
        retry_exceptions=False,
    )
    here = ray.get_runtime_context().get_node_id()
    pending = task.remote(train, config, Path.cwd(), run_folder(), here)
    try:
        outcome: _Outcome = ray.get(pending)
    except (KeyboardInterrupt, SystemExit):
        # Ray puts a handler of its own in the place of ours, and that one raises SystemExit.
        ray.cancel(pending)
        ray.wait([pending], timeout=END_SECONDS)
        raise
    write_files(run_folder(), outcome.files)
    if outcome.error is not None:
        error = ClusterlabError(outcome.error)
        error.exit_code = outcome.exit_code
        raise error
    return outcome.metrics


def _resources(place: Place) -> dict[str, Any]:
    """The options of a Ray task."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    options: dict[str, Any] = {}
    if place.here:
        node = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node_id=node, soft=True)
    if place.num_gpus == 0:
        return options | {"num_cpus": 0}
    most = int(_most("GPU"))
    if most == 0:
        return options | {"num_gpus": 0, "num_cpus": int(_most("CPU"))}
    if place.num_gpus > most:
        message = f"{place.num_gpus} on one node are asked for; allowed: at most {most}, which is what a node has"
        raise InputError(Problem(path="GPUs", message=message))
    return options | {"num_gpus": place.num_gpus, "num_cpus": 1}


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


def _most(resource: str) -> float:
    """What the node with the most of it has."""
    import ray

    return max(float(node["Resources"].get(resource, 0)) for node in ray.nodes() if node["Alive"])
