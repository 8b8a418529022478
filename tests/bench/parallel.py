"""The time of a steady step of each engine on two workers, in a Ray process group and under torchrun.

torchrun --nproc-per-node 2 -m tests.bench.parallel fsdp
python -m tests.bench.parallel fsdp --ray
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

from clusterlab.config import parse
from clusterlab.job import Job
from jobs.parallel.loop import Step, train
from jobs.parallel.saves import Saves
from jobs.parallel.tokens import Stream
from tests.bench.figure import ROOT
from tests.jobs.parallel.losses import WAYS
from tests.jobs.parallel.losses import engine as engine_of

WARM_UP = 10
"""Steps that do not count."""
STEPS = 200
ENGINES = [name for name in WAYS if "-" not in name]


def measure(name: str, folder: str | None = None) -> dict[str, float]:
    """Train, and return the median seconds of the steps after the warm-up, those with a save in flight apart."""
    job = Job.load(name, root=ROOT)
    values = {"SCALE": "tiny", "STEPS": str(STEPS), "CHECKPOINT_EVERY": "5"}
    config = parse(job.config_type, values | WAYS[name])
    engine = engine_of(name, config)
    saves = Saves(folder=Path(folder)) if folder else None
    steps = train(engine, Stream.of(config), config, saves=saves)[WARM_UP:]
    engine.close()
    found = {"seconds": _median(step for step in steps if not step.saving), "loss": steps[-1].loss}
    return found | ({"saving_seconds": _median(step for step in steps if step.saving)} if folder else {})


def _median(steps: Iterable[Step]) -> float:
    return statistics.median(step.seconds for step in steps)


def main() -> None:
    """Measure once and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--ray", action="store_true", help="in workers of a Ray of its own")
    parser.add_argument("--save", action="store_true", help="with checkpoints")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = folder if arguments.save else None
        if arguments.ray:
            print(json.dumps(_through_ray(arguments.engine, given)))
            return
        found = _under_torchrun(arguments.engine, given)
    if os.environ["RANK"] == "0":
        print(json.dumps(found))


def _under_torchrun(name: str, folder: str | None) -> dict[str, float]:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    try:
        return measure(name, folder)
    finally:
        dist.destroy_process_group()


def _through_ray(name: str, folder: str | None) -> dict[str, float]:
    import ray

    from jobs.collective.group import process_group

    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
    try:
        with process_group(use_gpu=False, min_workers=2) as group:
            return dict(group.call(measure, name, folder)[0])
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
