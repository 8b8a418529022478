from __future__ import annotations

from pathlib import Path

import pytest
import ray

from clusterlab.errors import InputError, Problem
from jobs.launch.folder import VARIABLE, run_folder
from jobs.launch.workers import _work


class _Context:
    def get_node_id(self) -> str:
        return "here"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder that this node does not have yet."""
    monkeypatch.setattr(ray, "get_runtime_context", _Context)
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "1"


def _train(loss: float) -> dict[str, float]:
    (run_folder() / "loss.txt").write_text(str(loss))
    return {"loss": loss}


def _refuse(_: float) -> dict[str, float]:
    (run_folder() / "loss.txt").write_text("none")
    raise InputError(Problem(path="LOSS", message="none"))


def test_a_worker_on_the_callers_node_sends_no_files(folder: Path) -> None:
    outcome = _work(_train, 0.5, Path("/no/such/folder/here"), folder, "here")
    assert (outcome.metrics, outcome.files) == ({"loss": 0.5}, {})
    assert (folder / "loss.txt").read_text() == "0.5"


def test_a_worker_on_another_node_sends_what_it_wrote(folder: Path) -> None:
    outcome = _work(_train, 0.5, folder.parent, folder, "there")
    assert (outcome.metrics, outcome.files) == ({"loss": 0.5}, {"loss.txt": b"0.5"})


def test_an_error_sends_what_was_written_before_it(folder: Path) -> None:
    outcome = _work(_refuse, 0.5, folder.parent, folder, "there")
    assert (outcome.error, outcome.exit_code, outcome.files) == ("LOSS: none", 2, {"loss.txt": b"none"})
