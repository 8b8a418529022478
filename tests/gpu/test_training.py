"""What only a GPU can show of the training labs; `python -m pytest tests/gpu` where there is one.

It writes tests/golden/losses/<job>-cuda.json with UPDATE_GOLDEN=1, and tests/golden/speed/<gpu>.json always.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest
import ray
import torch

from clusterlab.config import parse
from jobs.collective.group import Group, process_group
from jobs.fsdp import Config
from tests.jobs.parallel.losses import GOLDEN, WAYS, golden, losses, write

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: the training labs are not measured")
JOBS = [way for way in WAYS if "-" not in way]
ONE = {"DEVICE": "cuda", "MIN_WORKERS": "1"}
CUDA_TOLERANCE = 5e-3
"""Of a loss in nats: float32 on tensor cores rounds its factors to TF32 where it may."""
WARM_UP = 10


@pytest.fixture(scope="module")
def gpu() -> Iterator[Group]:
    """One rank on one GPU."""
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    with process_group(use_gpu=True, min_workers=1) as group:
        yield group
    ray.shutdown()


def _speed(values: dict[str, str]) -> dict[str, float]:
    """In the rank: tokens/s, MFU and memory of FSDP2 at `single` on made tokens."""
    import statistics

    from jobs.parallel.fsdp import FullySharded, Options
    from jobs.parallel.loop import train
    from jobs.parallel.meter import peak_memory_gib, speed
    from jobs.parallel.tokens import Stream

    given = {"SCALE": "single", "DATA": "made", "TOKENIZER": "made", "STEPS": "40"}
    config = parse(Config, given | values)
    options = Options(
        precision=config.precision,
        recompute=config.recompute,
        cpu_offload=config.cpu_offload,
        compile=config.compile,
    )
    torch.cuda.reset_peak_memory_stats()
    engine = FullySharded(config, options)
    steps = train(engine, Stream.of(config), config)
    engine.close()
    seconds = statistics.median(step.seconds for step in steps[WARM_UP:])
    return speed(config, seconds, 1) | {"peak_memory_gib": peak_memory_gib(), "loss": steps[-1].loss}


@pytest.mark.parametrize("job", JOBS)
def test_a_gpu_has_the_losses_of_a_cpu_and_the_golden_ones(gpu: Group, job: str) -> None:
    more = {"TENSOR_PARALLEL": "1"} if job == "megatron" else {}
    [found] = gpu.call(_losses, job, ONE | more)
    if os.environ.get("UPDATE_GOLDEN"):
        write(job, "cuda", found)
    assert found == pytest.approx(json.loads(golden(job, "cpu").read_text()), abs=CUDA_TOLERANCE)
    if golden(job, "cuda").exists():
        assert found == pytest.approx(json.loads(golden(job, "cuda").read_text()), abs=CUDA_TOLERANCE)


def _losses(job: str, values: dict[str, str]) -> list[float]:
    return losses(job, **values)


def test_compilation_changes_the_speed_and_not_the_loss(gpu: Group) -> None:
    found = {compiled: gpu.call(_speed, {"COMPILE": compiled})[0] for compiled in ("false", "true")}
    name = re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name().lower())
    folder = GOLDEN.parent / "speed"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    assert found["true"]["loss"] == pytest.approx(found["false"]["loss"], abs=0.05)
