"""The time of a steady training step, of the same module under torchrun and in a Ray worker.

torchrun --nproc-per-node 1 -m tests.bench.steps
python -m tests.bench.steps --ray
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile

from clusterlab.config import parse
from jobs.launch.folder import VARIABLE
from jobs.launch.workers import run_worker
from jobs.llm.finetune import finetune
from jobs.qlora import Config
from jobs.tuning.methods import METHODS
from jobs.tuning.task import Task

WARM_UP = 10
"""Steps that do not count."""


def measure(config: Config) -> dict[str, float]:
    """Train, and return the median of the seconds of the steps after the warm-up."""
    from jobs.llm.bases import Base

    base = Base.of(config.model, lambda *_: None)
    model = METHODS["qlora"].attach(base.load(quantized=True), config)
    seconds: list[float] = []
    task = Task.load(config, base)
    finetune(model, task.train, config.recipe(), on_step=lambda _, __, duration, ___: seconds.append(duration))
    return {"seconds": statistics.median(seconds[WARM_UP:])}


def main() -> None:
    """Measure once and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ray", action="store_true", help="in a worker of a Ray of its own")
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    config = parse(Config, {"SCALE": "tiny", "STEPS": str(arguments.steps)})
    print(json.dumps(_through_ray(config) if arguments.ray else measure(config)))


def _through_ray(config: Config) -> dict[str, float]:
    import ray

    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
        try:
            return run_worker(measure, config, max_failures=0)
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main()
