from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import StorageError
from jobs.parallel.saves import SEAL, Saves

pytestmark = pytest.mark.usefixtures("_alone")


class _Number:
    """An engine whose whole state is one number."""

    data_rank, data_size = 0, 1

    def __init__(self) -> None:
        self.value = 0
        self.write: Callable[[Path], Future[Any] | None] = self._write

    def _write(self, folder: Path) -> None:
        (folder / "value").write_text(str(self.value))

    def save(self, folder: Path) -> Future[Any] | None:
        return self.write(folder)

    def load(self, folder: Path) -> None:
        self.value = int((folder / "value").read_text())

    def train_step(self, micro_batches: Any) -> None: ...

    def close(self) -> None: ...


def _save(saves: Saves, engine: _Number, *steps: int) -> None:
    for step in steps:
        engine.value = step
        saves.begin(step, engine)
        saves.finish()


def test_the_newest_is_loaded_and_older_ones_are_removed(tmp_path: Path) -> None:
    saves, engine = Saves(folder=tmp_path), _Number()
    assert saves.resume(engine) == 0
    _save(saves, engine, 5, 10, 15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-000015"]
    other = _Number()
    assert (Saves(folder=tmp_path).resume(other), other.value) == (15, 15)


@pytest.mark.parametrize(
    "tear",
    [
        lambda path: (path / "value").write_text("1"),
        lambda path: (path / "value").unlink(),
        lambda path: (path / SEAL).unlink(),
        lambda path: (path / SEAL).write_text('{"value": "'),
        lambda path: (path / SEAL).write_text('{"value": "0"}'),
    ],
    ids=["changed", "missing", "unsealed", "seal torn", "seal wrong"],
)
def test_a_torn_one_is_passed_over(tmp_path: Path, tear: Callable[[Path], object]) -> None:
    saves, engine = Saves(folder=tmp_path), _Number()
    _save(saves, engine, 5, 10)
    tear(tmp_path / "step-000010")
    with pytest.warns(UserWarning, match="step-000010: torn; going on from the checkpoint before it"):
        assert Saves(folder=tmp_path).resume(engine) == 5
    assert engine.value == 5


def test_until_it_is_sealed_the_one_before_stays_the_latest(tmp_path: Path) -> None:
    saves, engine = Saves(folder=tmp_path), _Number()
    _save(saves, engine, 5)
    written: Future[None] = Future()
    engine.write = lambda _: written
    saves.begin(10, engine)
    assert (saves.in_flight, saves.is_written()) == (True, False)
    assert Saves(folder=tmp_path).resume(_Number()) == 5
    written.set_result(None)
    assert saves.is_written()
    saves.finish()
    assert (saves.in_flight, (tmp_path / "step-000010" / SEAL).exists()) == (False, True)


def test_what_an_attempt_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".step-000007.partial").mkdir()
    (tmp_path / ".step-000007.partial" / "value").touch()
    _save(Saves(folder=tmp_path), _Number(), 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000010"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64")])
def test_a_full_disk_is_a_storage_error_and_spares_the_last_good_one(tmp_path: Path, error: Exception) -> None:
    saves, engine = Saves(folder=tmp_path), _Number()
    _save(saves, engine, 5)

    def fail(_folder: Path) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=future.set_exception, args=[error]).start()
        return future

    engine.write = fail
    saves.begin(10, engine)
    with pytest.raises(StorageError, match=r"step-000010: cannot be written: .*"):
        saves.finish()
    assert Saves(folder=tmp_path).resume(engine) == 5


def test_a_folder_that_cannot_be_made_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="/dev/null/x: cannot be made"):
        Saves(folder=Path("/dev/null/x"))
