from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import StorageError
from jobs.launch.environments import OWN, ProcessFailedError
from jobs.launch.exchange import LOG, ask, read_answer

ACTING = "tests.jobs.launch.acting"
ASKED = {"numbers": [1, 2]}
SUMS = """
import sys
from jobs.launch.exchange import answer
print("adds")
sys.exit(answer(lambda asked, folder: {"sum": sum(asked["numbers"]), "folder": folder.name}))
"""
FULL = """
import sys
from clusterlab.errors import StorageError
from jobs.launch.exchange import answer
def work(asked, folder):
    raise StorageError("a disk is full")
sys.exit(answer(work))
"""


def _ask(folder: Path, script: str, **process: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "act.py").write_text(script)
    return ask(ACTING, ASKED, folder, environment=OWN, num_threads=1, **process)


def test_what_the_work_returns_is_the_answer_and_stays_in_the_folder(tmp_path: Path) -> None:
    found = _ask(tmp_path / "sums", SUMS)
    assert found == {"sum": 3, "folder": "sums"}
    assert read_answer(tmp_path / "sums") == found


def test_an_error_of_a_user_s_is_one_line_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match=r"^a disk is full$") as failed:
        _ask(tmp_path, FULL)
    assert failed.value.exit_code == StorageError.exit_code
    assert (tmp_path / LOG).read_text() == "a disk is full\n"


def test_a_process_that_fails_leaves_no_answer_of_an_earlier_one(tmp_path: Path) -> None:
    _ask(tmp_path, SUMS)
    with pytest.raises(ProcessFailedError):
        _ask(tmp_path, FULL)
    with pytest.raises(FileNotFoundError):
        read_answer(tmp_path)


def test_a_log_of_its_own_is_begun_anew_and_a_given_one_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "all.log"
    for _ in range(2):
        _ask(tmp_path / "own", SUMS)
        _ask(tmp_path / "given", SUMS, log=log)
    assert (tmp_path / "own" / LOG).read_text() == "adds\n"
    assert log.read_text() == "adds\nadds\n"
    assert not (tmp_path / "given" / LOG).exists()
