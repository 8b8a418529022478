from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import StorageError
from jobs.launch.finished import Finished
from jobs.parallel.cases import once


@pytest.mark.usefixtures("_alone")
def test_a_case_is_done_once_whatever_happens_to_the_next(tmp_path: Path) -> None:
    parts = Finished(folder=tmp_path / "cases")
    assert once(parts, "first", lambda: {"loss": 1.5}) == {"loss": 1.5}
    assert once(parts, "first", lambda: {"loss": 2.5}) == {"loss": 1.5}
    assert parts.find("first") == {"loss": 1.5}
    assert parts.find("second") is None


@pytest.mark.usefixtures("_alone")
def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "cases").touch()
    with pytest.raises(StorageError, match="cases"):
        once(Finished(folder=tmp_path / "cases"), "first", dict)
