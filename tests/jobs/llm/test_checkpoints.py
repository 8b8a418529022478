from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clusterlab.errors import StorageError
from jobs.llm.checkpoints import DIGEST, STATE, Checkpoints


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    found = Checkpoints(folder=tmp_path / "checkpoints")
    for step in (10, 20):
        found.save(step, {"step": step, "weights": torch.full((1000,), float(step))})
    return found


def test_the_latest_is_the_one_of_the_highest_step(checkpoints: Checkpoints) -> None:
    state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 20
    assert torch.equal(state["weights"], torch.full((1000,), 20.0))


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert Checkpoints(folder=tmp_path / "none").latest() is None


def test_only_the_newest_are_kept(checkpoints: Checkpoints) -> None:
    checkpoints.save(30, {"step": 30})
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["step-000020", "step-000030"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "tear",
    [
        lambda folder: _cut(folder / STATE),
        lambda folder: _flip(folder / STATE),
        lambda folder: (folder / STATE).unlink(),
        lambda folder: (folder / DIGEST).unlink(),
        lambda folder: (folder / DIGEST).write_text(""),
    ],
    ids=["cut short", "one bit flipped", "state gone", "digest gone", "digest empty"],
)
def test_a_torn_one_is_told_of_and_the_one_before_it_is_used(checkpoints: Checkpoints, tear) -> None:  # type: ignore[no-untyped-def]
    tear(checkpoints.folder / "step-000020")
    with pytest.warns(UserWarning, match="step-000020: torn"):
        state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 10


def test_one_that_was_being_written_when_the_machine_went_away_is_not_seen(checkpoints: Checkpoints) -> None:
    (checkpoints.folder / "step-000020").rename(checkpoints.folder / ".step-000020.partial")
    state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 10
    checkpoints.save(20, {"step": 20})
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["step-000010", "step-000020"]


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Checkpoints(folder=tmp_path / "file").save(1, {"step": 1})
