from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs.launch.folder import VARIABLE, run_folder
from jobs.llm.curve import read_losses
from jobs.parallel.workers import Notice
from jobs.zero import CASES, Config, _train, cases_of, main, paper_gb


def _config(**values: object) -> Config:
    given = {"SCALE": "tiny", "STAGES": "1,3", "OFFLOAD": "none", "STEPS": "6", "CHECKPOINT_EVERY": "2"}
    return parse(Config, given | {key: str(value) for key, value in values.items()})


def _killed_once(config: Config, notice: Notice) -> dict[str, float]:
    """Train, and be killed at rank 1 in the second case; the newest checkpoint of that moment is torn."""
    import torch.distributed as dist

    flag = run_folder() / "killed"
    if dist.get_rank() == 1 and not flag.exists():
        threading.Thread(target=_kill_at, args=[run_folder(), flag, 6 + 5], daemon=True).start()
    return _train(config, notice)


def _kill_at(folder: Path, flag: Path, num_steps: int) -> None:
    while not (folder / METRICS).exists() or len((folder / METRICS).read_text().splitlines()) < num_steps:
        threading.Event().wait(0.002)
    newest = max((folder / "checkpoints" / "zero-3").glob("step-*"))
    for path in newest.rglob("*_optim_states.pt"):
        path.write_bytes(b"torn")
    flag.write_text(newest.name)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("_ray_here")
def test_a_killed_worker_and_a_torn_checkpoint_change_no_loss(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.zero._train", _killed_once)
    metrics = main(_config())
    losses = read_losses(folder / METRICS)
    assert (folder / "killed").exists()
    assert losses["zero-3"].keys() == set(range(1, 7))
    # Stage 1 was complete before, and its losses are what stage 3 must have.
    assert losses["zero-3"] == pytest.approx(losses["zero-1"], abs=2e-5)
    assert metrics["loss_gap"] < 2e-5
    assert metrics["memory_gap"] < 0.02
    steps = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    assert sum(step["phase"] == "zero-1" for step in steps) == 6
    # It went on from the checkpoint before the torn one.
    redone = int((folder / "killed").read_text().removeprefix("step-")) - 1
    assert [step["step"] for step in steps if step["phase"] == "zero-3"].count(redone) == 2
    assert not list((folder / "checkpoints").iterdir())
    assert {path.stem for path in (folder / CASES).iterdir()} == {"zero-1", "zero-3"}
    assert all((folder / picture).stat().st_size > 10_000 for picture in ("memory.png", "loss.png"))


def test_the_formula_gives_the_papers_figure() -> None:
    assert {name: round(gb, 1) for name, gb in paper_gb().items()} == {
        "zero_0": 120.0,
        "zero_1": 31.4,
        "zero_2": 16.6,
        "zero_3": 1.9,
    }


def test_what_is_asked_for_is_run_and_nothing_else(tmp_path: Path) -> None:
    def names(**values: object) -> list[str]:
        return list(cases_of(_config(**values), tmp_path))

    assert names(STAGES="3", OFFLOAD="cpu") == ["zero-3", "zero-3-cpu"]
    assert names(STAGES="2,0", OFFLOAD="cpu,nvme") == ["zero-0", "zero-2", "zero-2-cpu"]
    assert names(STAGES="2,3", OFFLOAD="nvme") == ["zero-2", "zero-3", "zero-3-nvme"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"STAGES": "0,4"}, "STAGES=0,4: allowed: some of 0,1,2,3, each once"),
        ({"STAGES": "1,1"}, "STAGES=1,1: allowed: some of 0,1,2,3, each once"),
        ({"OFFLOAD": "disk"}, "OFFLOAD=disk: allowed: none; cpu; nvme; cpu,nvme"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        _config(**wrong)
    assert message in str(error.value)


def test_offload_takes_the_host_and_spares_the_gpu() -> None:
    plain = parse(Config, {"SCALE": Scale.FULL, "STAGES": "3", "OFFLOAD": "none"}).footprint(8)
    both = parse(Config, {"SCALE": Scale.FULL, "STAGES": "3", "OFFLOAD": "cpu"}).footprint(8)
    assert plain.host == 0
    assert both.gpu == plain.gpu
    assert both.host > 8 * 2**30
