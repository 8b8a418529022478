"""Run a function in a Ray Train worker that is begun again when it dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jobs.launch.folder import run_folder

C = TypeVar("C")


def run_worker(train: Callable[[C], dict[str, float]], config: C, *, max_failures: int) -> dict[str, float]:
    """Call `train(config)` in one worker, on a GPU where the cluster has one and else on all CPUs of a node.

    A worker that dies or raises is begun again at most `max_failures` times; `train` goes on from its own checkpoint.

    Returns what `train` returned.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True, log_to_driver=True)
    resources = ray.cluster_resources()
    use_gpu = resources.get("GPU", 0) >= 1
    trainer = TorchTrainer(
        _reporting,
        train_loop_config={"train": train, "config": config},
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
    return dict(trainer.fit().metrics)


def _reporting(loop_config: dict[str, Any]) -> None:
    import ray.train

    ray.train.report(loop_config["train"](loop_config["config"]))


def _cpus_of_a_node() -> int:
    import ray

    return int(max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))
