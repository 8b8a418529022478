from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.run import METRICS
from jobs.launch.folder import VARIABLE, run_folder
from jobs.llm.curve import read_losses
from jobs.moe import BALANCED, DENSE, PARTS, UNBALANCED, Config, _train, main
from jobs.parallel.workers import Notice

SHORT = {"SCALE": "tiny", "STEPS": "6", "CHECKPOINT_EVERY": "2", "NUM_HELD_OUT": "16", "SERVE": "false"}


def _killed_once(config: Config, notice: Notice) -> dict[str, float]:
    """Train, and be killed at rank 1 in the second training."""
    import torch.distributed as dist

    if dist.get_rank() == 1 and not (run_folder() / "killed").exists():
        threading.Thread(target=_kill_at, args=[run_folder(), 6 + 3], daemon=True).start()
    return _train(config, notice)


def _kill_at(folder: Path, num_steps: int) -> None:
    while not (folder / METRICS).exists() or len((folder / METRICS).read_text().splitlines()) < num_steps:
        threading.Event().wait(0.002)
    (folder / "killed").touch()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("_ray_here")
def test_a_run_that_lost_a_worker_ends_with_all_its_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("jobs.moe._train", _killed_once)
    config = parse(Config, SHORT)
    metrics = main(config)
    assert (tmp_path / "killed").exists()
    losses = read_losses(tmp_path / METRICS)
    assert all(list(losses[phase]) == [1, 2, 3, 4, 5, 6] for phase in (BALANCED, UNBALANCED, DENSE))
    # The first losses are before any update, and have nothing of the balance loss.
    assert losses[BALANCED][1] == pytest.approx(losses[UNBALANCED][1], abs=1e-6)
    assert metrics["loss_gap_to_one_process"] < 2e-5
    assert metrics["total_parameters_balanced"] == config.mixture.total_parameters
    assert metrics["active_parameters_balanced"] == config.mixture.active_parameters
    assert metrics["experts_per_token_unbalanced"] == config.top_k
    assert metrics["exchanged_to_formula_balanced"] == pytest.approx(1, abs=0.3)
    assert {path.name for path in tmp_path.glob("*.png")} == {"loss.png", "routing.png"}
    assert {path.stem for path in (tmp_path / PARTS).glob("*.json")} == {BALANCED, UNBALANCED, DENSE, "gap"}
    assert "config.json" in {path.name for path in (tmp_path / "checkpoints" / "mixture").iterdir()}
