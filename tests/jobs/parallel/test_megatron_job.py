from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.errors import InputError
from clusterlab.fit.memory import Precision
from jobs.launch.folder import VARIABLE
from jobs.megatron import Config, main
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
