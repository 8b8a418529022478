"""The losses of each job of distributed training at its defaults, as the golden files have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clusterlab.config import parse
from clusterlab.job import Job
from jobs.parallel.loop import train
from jobs.parallel.tokens import Stream

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "losses"
WAYS = {
    "checkpointing": {"MICRO_BATCH_SIZE": "4"},
    "fsdp": {},
    "megatron": {},
    "zero": {"STAGES": "3", "OFFLOAD": "none"},
    "zero-0": {"STAGES": "0", "OFFLOAD": "none"},
}
"""By job, the values that a golden run has beside its defaults; `zero-0` is there to agree, and has no file."""


def losses(way: str, **values: str) -> list[float]:
    """In each rank: train at `tiny` in a job's way, and return the loss of each step."""
    job = Job.load(way.partition("-")[0], root=ROOT)
    config = parse(job.config_type, {"SCALE": "tiny"} | WAYS[way] | values)
    trained = engine(way, config)
    steps = train(trained, Stream.of(config), config)
    trained.close()
    return [round(step.loss, 6) for step in steps]


def engine(way: str, config: Any) -> Any:
    """In a rank: the job's engine."""
    if way == "checkpointing":
        from jobs.parallel.whole import Whole

        return Whole(config, precision=config.precision, attention=config.attention)
    if way == "fsdp":
        from jobs.parallel.fsdp import FullySharded, Options

        plain = Options(precision=config.precision, recompute=config.recompute, cpu_offload=False, compile=False)
        return FullySharded(config, plain)
    if way == "megatron":
        from jobs.parallel import megatron, megatron_model

        options = megatron_model.Options(
            layout=config.layout,
            precision=config.precision,
            recompute=config.recompute,
            distributed_optimizer=config.distributed_optimizer,
        )
        return megatron.Megatron(config, options)
    from jobs.parallel import zero

    stage = int(config.stages)
    return zero.Zero(
        config,
        zero.Options(stage=stage, offload=zero.Offload.NONE, precision=config.precision, recompute=config.recompute),
    )


def golden(job: str, device: str) -> Path:
    """The file of a job on `cpu` or `cuda`."""
    return GOLDEN / f"{job}-{device}.json"


def write(job: str, device: str, found: list[float]) -> None:
    """Put the losses, by step, where `golden` finds them."""
    golden(job, device).write_text(json.dumps(found, indent=0) + "\n")
