from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.errors import ClusterlabError, InputError
from clusterlab.run import METRICS
from jobs.fsdp import Config, _train, main
from jobs.launch.folder import VARIABLE, run_folder
from jobs.llm.curve import read_losses
from jobs.parallel.workers import Notice, _mark, _work, train_on_workers

pytestmark = pytest.mark.usefixtures("_ray_here", "folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def _config(**values: object) -> Config:
    return parse(
        Config, {"SCALE": "tiny", "STEPS": "12", "CHECKPOINT_EVERY": "4"} | {k: str(v) for k, v in values.items()}
    )


def _killed_once(config: Config, notice: Notice) -> dict[str, float]:
    """Train, and be killed at rank 1 when some steps are done."""
    import torch.distributed as dist

    flag = run_folder() / "killed"
    if dist.get_rank() == 1 and not flag.exists():
        threading.Thread(target=_kill_at, args=[run_folder() / METRICS, flag, 6], daemon=True).start()
    return _train(config, notice)


def _kill_at(metrics: Path, flag: Path, num_steps: int) -> None:
    while not metrics.exists() or len(metrics.read_text().splitlines()) < num_steps:
        threading.Event().wait(0.005)
    flag.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def _dies(_config: Config, _notice: Notice) -> dict[str, float]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _refuses_at_rank_1(_config: Config, _notice: Notice) -> dict[str, float]:
    import torch.distributed as dist

    if dist.get_rank() == 1:
        raise ClusterlabError("the disk of rank 1 is full")
    dist.barrier()
    return {}


def _noticed(config: Config, notice: Notice) -> dict[str, float]:
    """Train, and give notice from within when some steps are done."""
    import ray
    import torch.distributed as dist

    if dist.get_rank() == 1:
        ray.get(notice.actor.give.remote())
    return _train(config, notice)


def test_a_killed_worker_changes_no_loss(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics, world_size = train_on_workers(_killed_once, _config(), fewer=True)
    disturbed = read_losses(folder / METRICS)["fsdp"]
    assert (folder / "killed").exists()
    assert "lost a worker, 1 of at most 3" in capsys.readouterr().out
    assert world_size == 2
    (folder / METRICS).unlink()
    (folder / "checkpoints").rename(folder / "of-the-disturbed")
    undisturbed = main(_config())
    assert read_losses(folder / METRICS)["fsdp"] == disturbed
    assert metrics["loss"] == undisturbed["loss"]
    assert undisturbed["reloaded_loss_gap"] < 1e-6
    assert (folder / "loss.png").exists()
    assert list((folder / "tensorboard" / "fsdp").iterdir())


def test_too_many_lost_workers_fail_the_run() -> None:
    with pytest.raises(ClusterlabError, match=r"MAX_FAILURES=1: one worker more was lost: .+"):
        train_on_workers(_dies, _config(MAX_FAILURES=1), fewer=True)


def test_one_rank_that_fails_ends_all_with_its_error() -> None:
    with pytest.raises(ClusterlabError, match=r"^the disk of rank 1 is full$"):
        train_on_workers(_refuses_at_rank_1, _config(), fewer=True)


def test_a_preemption_notice_saves_at_once_and_the_run_goes_on_later(folder: Path) -> None:
    config = _config(STEPS=500, CHECKPOINT_EVERY=500)
    with pytest.raises(KeyboardInterrupt):
        train_on_workers(_noticed, config, fewer=True)
    [saved] = (folder / "checkpoints" / "fsdp").glob("step-*")
    done = len((folder / METRICS).read_text().splitlines())
    assert saved.name == f"step-{done:06d}"
    assert done < 500


def test_more_workers_than_there_are_cpus_are_refused() -> None:
    with pytest.raises(InputError, match=r"MIN_WORKERS=3: the nodes have 2 CPUs"):
        train_on_workers(_dies, _config(MIN_WORKERS=3, GLOBAL_BATCH_SIZE=12), fewer=True)


def test_a_batch_that_the_ranks_cannot_share_is_refused() -> None:
    with pytest.raises(ClusterlabError, match="GLOBAL_BATCH_SIZE=4: must be a multiple of MICRO_BATCH_SIZE=4 times 2"):
        train_on_workers(_train, _config(GLOBAL_BATCH_SIZE=4), fewer=True)


def _writes(_config: Config, _notice: Notice) -> dict[str, float]:
    (run_folder() / METRICS).write_text("{}")
    return {"written": 1.0}


def test_files_come_back_from_another_disk_and_from_no_shared_one(folder: Path, tmp_path: Path) -> None:
    notice = Notice(actor=None)
    with _mark(folder) as mark:
        shared = _work(_writes, _config(), notice, Path.cwd(), folder, mark)
        apart = _work(_writes, _config(), notice, Path.cwd(), tmp_path / "of-another-node", mark)
    assert (shared.files, apart.files) == ({}, {METRICS: b"{}"})
    assert not (folder / mark).exists()
