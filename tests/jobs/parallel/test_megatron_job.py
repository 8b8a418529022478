from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.errors import InputError
from clusterlab.fit.memory import Precision
from clusterlab.run import METRICS
from jobs.launch.folder import VARIABLE, run_folder
from jobs.megatron import PHASE, Config, _train, main
from jobs.parallel.layout import Layout
from jobs.parallel.workers import Notice, train_on_workers


def _config(**values: str) -> Config:
    return parse(Config, {"SCALE": "tiny", "STEPS": "4", "CHECKPOINT_EVERY": "4"} | values)


def _never(_config: Config, _notice: Notice) -> dict[str, float]:
    raise AssertionError("a worker was started")


@pytest.mark.usefixtures("_ray_here")
def test_the_record_says_what_each_worker_holds_and_how_far_the_losses_are_from_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    metrics = main(_config(SEQUENCE_PARALLEL="true"))
    assert metrics["parameters_per_worker"] == metrics["parameters_per_worker_by_formula"] == 402_560
    assert 0 <= metrics["loss_gap_to_one_process"] < 2e-5
    layout = {name: metrics[f"{name}_parallel"] for name in ("data", "tensor", "pipeline", "context")}
    assert layout == {"data": 1, "tensor": 2, "pipeline": 1, "context": 1}
    assert {path.name for path in tmp_path.glob("*.png")} == {"loss.png", "layout.png"}


def _killed_once(config: Config, notice: Notice) -> dict[str, float]:
    """Train, and be killed at rank 1 when two checkpoints are there; the newest is torn."""
    import torch.distributed as dist

    if dist.get_rank() == 1 and not (run_folder() / "killed").exists():
        threading.Thread(target=_tear_and_kill, args=[run_folder()], daemon=True).start()
    return _train(config, notice)


def _tear_and_kill(folder: Path) -> None:
    while len(checkpoints := sorted((folder / "checkpoints" / PHASE).glob("step-*"))) < 2:
        threading.Event().wait(0.002)
    for path in filter(Path.is_file, checkpoints[-1].rglob("*")):
        path.write_bytes(b"torn")
    (folder / "killed").write_text(checkpoints[-1].name)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("_ray_here")
def test_a_killed_worker_and_a_torn_checkpoint_change_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("jobs.megatron._train", _killed_once)
    metrics = main(_config(STEPS="10", CHECKPOINT_EVERY="2"))
    steps = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    numbers = [step["step"] for step in steps if step["phase"] == PHASE]
    assert set(numbers) == set(range(1, 11))
    # It went on from the checkpoint before the torn one, and has the losses of one process that was never disturbed.
    assert numbers.count(int((tmp_path / "killed").read_text().removeprefix("step-")) - 1) == 2
    assert metrics["loss_gap_to_one_process"] < 2e-5


@pytest.mark.usefixtures("_ray_here")
def test_a_world_that_cannot_be_laid_out_is_refused_before_a_worker_starts() -> None:
    layout = Layout(tensor_parallel=3, pipeline_parallel=1, context_parallel=1, sequence_parallel=False)
    with pytest.raises(InputError, match=r"world size 2 = data_parallel \? x tensor_parallel 3 x pipeline_parallel 1"):
        train_on_workers(_never, _config(), fewer=False, check=layout.check_world)


def test_the_plan_counts_float32_gradients_and_shares_the_optimizer_out() -> None:
    config = parse(Config, {"SCALE": "full"})
    footprint = config.footprint(8)
    held = config.layout.num_parameters(config.shape, 0)
    assert config.precision is Precision.MIXED
    assert (footprint.weights, footprint.gradients) == (2 * held, 4 * held)
    assert footprint.optimizer == pytest.approx(12 * held / 4, rel=1e-6)
    with pytest.raises(ValueError, match=r"world size 3 = data_parallel \? x tensor_parallel 2"):
        config.footprint(3)
