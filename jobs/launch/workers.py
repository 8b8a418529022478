"""Run a function in a Ray Train worker that is begun again when it dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from clusterlab.errors import ClusterlabError
from jobs.launch.folder import run_folder

C = TypeVar("C")


def run_worker(train: Callable[[C], dict[str, float]], config: C, *, max_failures: int) -> dict[str, float]:
    """Call `train(config)` in one worker, on a GPU where the cluster has one and else on all CPUs of a node.

    A worker that dies or raises is begun again at most `max_failures` times; `train` goes on from its own checkpoint.

    Returns what `train` returned.

    Raises:
        ClusterlabError: `train` raised one; such an error would only be met again, so nothing is begun again.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True, log_to_driver=True)
    resources = ray.cluster_resources()
    use_gpu = resources.get("GPU", 0) >= 1
    trainer = TorchTrainer(
        _work,
        train_loop_config={"train": train, "config": config, "folder": str(Path.cwd())},
        scaling_config=ScalingConfig(
            num_workers=1,
            use_gpu=use_gpu,
            resources_per_worker={"GPU": 1, "CPU": 1} if use_gpu else {"CPU": _cpus_of_a_node()},
        ),
        run_config=RunConfig(
            name="workers",
            storage_path=str(run_folder() / "ray"),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    outcome: _Outcome = trainer.fit().return_value
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


def _work(loop_config: dict[str, Any]) -> _Outcome:
    # Ray Train moves its workers into a folder of their own; a model given as a relative path is meant from here.
    os.chdir(loop_config["folder"])
    try:
        return _Outcome(metrics=loop_config["train"](loop_config["config"]))
    except ClusterlabError as error:
        return _Outcome(error=str(error), exit_code=error.exit_code)


def _cpus_of_a_node() -> int:
    import ray

    return int(max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))
