from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import StorageError
from jobs.launch.finished import Finished


class _GoneError(Exception):
    """The machine was taken away."""


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    finished = Finished(folder=tmp_path / "parts")
    assert finished.once("a", lambda: {"found": 1}) == {"found": 1}
    assert Finished(folder=tmp_path / "parts").once("a", lambda: pytest.fail("again")) == {"found": 1}
    assert finished.read("a") == {"found": 1}


def test_what_was_interrupted_is_not_finished(tmp_path: Path) -> None:
    finished = Finished(folder=tmp_path)

    def gone() -> dict[str, int]:
        raise _GoneError

    with pytest.raises(_GoneError):
        finished.once("a", gone)
    assert finished.once("a", lambda: {"found": 2}) == {"found": 2}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/parts/a\.json: cannot be written: Not a directory"):
        Finished(folder=tmp_path / "file" / "parts").once("a", dict)
