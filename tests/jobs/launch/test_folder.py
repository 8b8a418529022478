from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import MissingError, StorageError
from clusterlab.run import Asked, Run, Status
from clusterlab.submission.results import write_files
from jobs.launch import folder as module
from jobs.launch.folder import VARIABLE, choose_folder, run_folder, small_files

ASKED = Asked(lab="echo", job="echo", config={"steps": 1}, code="c", lock="l", revisions={})


def _begin(folder: Path, status: Status) -> None:
    Run(run_id="r", fingerprint=ASKED.fingerprint, asked=ASKED, tags={}, status=status, started="2026").save(folder)


def test_the_folder_that_is_given_is_taken(tmp_path: Path) -> None:
    assert choose_folder(ASKED, {"CLUSTERLAB_RUN_DIR": str(tmp_path / "given")}) == tmp_path / "given"


def test_a_preempted_task_finds_its_folder_again(tmp_path: Path) -> None:
    task = {"CLUSTERLAB_RUNS": str(tmp_path), "SKYPILOT_TASK_ID": "sky-managed-2026-11-25_qlora_7-0"}
    folder = choose_folder(ASKED, task)
    assert folder.parent == tmp_path / "echo"
    assert choose_folder(ASKED, task) == folder
    assert choose_folder(ASKED, task | {"SKYPILOT_TASK_ID": "sky-managed-2026-11-25_qlora_8-0"}) != folder


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPED, Status.FAILED])
def test_an_unfinished_run_is_gone_on_with(tmp_path: Path, status: Status) -> None:
    runs = {"CLUSTERLAB_RUNS": str(tmp_path)}
    folder = choose_folder(ASKED, runs)
    _begin(folder, status)
    assert choose_folder(ASKED, runs) == folder


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    runs = {"CLUSTERLAB_RUNS": str(tmp_path)}
    folder = choose_folder(ASKED, runs)
    _begin(folder, Status.SUCCEEDED)
    assert choose_folder(ASKED, runs) != folder


def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StorageError, match=r"runs/echo.*cannot be made"):
        choose_folder(ASKED, {"CLUSTERLAB_RUNS": str(tmp_path / "runs")})


def test_a_job_that_nobody_submitted_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(MissingError, match=r"python -m jobs\.submit"):
        run_folder()


def test_small_files_go_from_disk_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for name in ("metrics.jsonl", "adapters/qlora/a.bin", "checkpoints/1", "run.json", ".lock"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("there")
    (there / "weights").write_bytes(b"too many of them")
    monkeypatch.setattr(module, "MAX_SENT", 8)
    files = small_files(there)
    assert files == {"metrics.jsonl": b"there", "adapters/qlora/a.bin": b"there"}
    write_files(here, files)
    assert (here / "adapters" / "qlora" / "a.bin").read_bytes() == b"there"


def test_files_that_cannot_be_written_are_one_clear_error() -> None:
    with pytest.raises(StorageError, match="/proc/none: cannot be written"):
        write_files(Path("/proc/none"), {"a": b""})
