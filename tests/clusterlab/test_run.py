from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clusterlab import run as module
from clusterlab.config import Source
from clusterlab.errors import InputError, StorageError
from clusterlab.run import (
    RECORD,
    Asked,
    Run,
    Status,
    append_line,
    find_runs,
    held,
    in_use,
    new_run_folder,
    read_lines,
    unfinished,
)

ASKED = Asked(lab="toy", job="toy", config={"steps": 2, "rate": 0.1}, code="c", lock="l", revisions={"model": "made"})
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    model: Source
    steps: int = 2


def _run(**changes: Any) -> Run:
    run = Run(
        run_id="r1",
        fingerprint=ASKED.fingerprint,
        asked=ASKED,
        tags={"course": "c"},
        status=Status.SUCCEEDED,
        started="2026-11-25T12:00:00+00:00",
        metrics={"loss": 0.1, "gap": float("inf")},
        provenance={"attempts": 1},
        cost_usd="0.000000",
    )
    return dataclasses.replace(run, **changes)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "jobs" / "toy.py").write_text("one\n")
    (tmp_path / "images" / "train.lock").write_text("torch==1\n")
    (tmp_path / "model" / "weights").write_text("1 2 3\n")
    return tmp_path


def _asked(repository: Path, *, lab: str = "toy", steps: int = 2) -> Asked:
    config = Config(model=Source(str(repository / "model")), steps=steps)
    asked = Asked.of(lab, "toy", config, root=repository)
    return dataclasses.replace(asked, config=asked.config | {"model": "model"})


def test_the_fingerprint_of_the_same_question_is_the_same(repository: Path) -> None:
    assert _asked(repository).fingerprint == _asked(repository).fingerprint
    assert ASKED.fingerprint == "711079d1d95ee027eb5005460d823493d5acda8ae5b47c9ff8eb10f7864e7262", (
        "of any day and machine"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "jobs" / "toy.py").write_text("two\n"),
        lambda root: (root / "jobs" / "another.py").write_text("one\n"),
        lambda root: (root / "jobs" / "facts.txt").write_text("a fact\n"),
        lambda root: (root / "images" / "train.lock").write_text("torch==2\n"),
        lambda root: (root / "model" / "weights").write_text("1 2 4\n"),
    ],
    ids=["code", "more code", "what the code ships", "lock", "model"],
)
def test_the_fingerprint_changes_with_each_file(repository: Path, change: Callable[[Path], object]) -> None:
    before = _asked(repository).fingerprint
    change(repository)
    assert _asked(repository).fingerprint != before


def test_the_fingerprint_changes_with_the_lab_and_with_each_value(repository: Path) -> None:
    asked = [_asked(repository), _asked(repository, lab="another"), _asked(repository, steps=3)]
    assert len({each.fingerprint for each in asked}) == 3


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), print, {1: "a"}, b"bytes", Path("x")])
def test_what_has_no_stable_form_has_no_fingerprint(value: object) -> None:
    with pytest.raises(TypeError, match=r"asked\.config\.steps.*stable form"):
        dataclasses.replace(ASKED, config={"steps": value}).fingerprint  # noqa: B018


def test_a_pinned_source_is_its_own_revision(repository: Path) -> None:
    pinned = Source("org/name@" + "0" * 40)
    assert Asked.of("toy", "toy", Config(model=pinned), root=repository).revisions == {"model": pinned}


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    _run().save(tmp_path)
    assert Run.load(tmp_path) == _run()
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"asked": {}}', '{"asked": 1, "status": "x"}', "\0", json.dumps({"a": 1})]
)
def test_garbage_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(InputError, match=f"{tmp_path / RECORD}: not a run record"):
        Run.load(tmp_path)


def test_bytes_are_no_record(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a run record"):
        Run.load(tmp_path)


def test_an_unknown_status_is_no_record(tmp_path: Path) -> None:
    _run().save(tmp_path)
    path = tmp_path / RECORD
    path.write_text(path.read_text().replace("succeeded", "nearly"))
    with pytest.raises(InputError, match="'nearly' is not a valid Status"):
        Run.load(tmp_path)


def test_a_full_disk_leaves_the_record_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run().save(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=f"{tmp_path / RECORD}: cannot be written: No space left on device"):
        _run(status=Status.FAILED).save(tmp_path)
    assert Run.load(tmp_path) == _run()
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]


def test_a_file_that_may_not_grow_is_a_storage_error(tmp_path: Path) -> None:
    """With the kernel's own limit of a file's size, in a process of its own."""
    code = """
import resource, signal, sys
from pathlib import Path
from clusterlab.errors import StorageError
from clusterlab.run import append_line, write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
long = "x" * 1000
for write in (lambda: write_atomically(Path("record"), long), lambda: append_line(Path("lines"), {"x": long})):
    try:
        write()
    except StorageError as error:
        print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "record: cannot be written: File too large\nlines: cannot be written: File too large\n"
    assert not (tmp_path / "record").exists()


def test_lines_are_added(tmp_path: Path) -> None:
    for step in (1, 2):
        append_line(tmp_path / "lines", {"step": step})
    assert (tmp_path / "lines").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_missing_folder_cannot_be_added_to(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        append_line(tmp_path / "missing" / "lines", {})


def test_a_line_that_a_killed_process_left_torn_is_skipped_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert read_lines(path) == []
    append_line(path, {"step": 1})
    with path.open("a") as file:
        file.write('{"step": 2, "lo')
    append_line(path, {"step": 3})
    append_line(path, {"step": 4})
    assert read_lines(path) == [{"step": 1}, {"step": 3}, {"step": 4}]


def test_two_runs_of_one_second_have_two_folders(tmp_path: Path) -> None:
    folders = [new_run_folder(tmp_path, ASKED, now=NOW) for _ in range(3)]
    stem = f"20261125-120000-{ASKED.fingerprint[:8]}"
    assert [folder.name for folder in folders] == [stem, f"{stem}-2", f"{stem}-3"]


@pytest.mark.parametrize("place", ["runs", "runs/toy"])
def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("in the way")
    with pytest.raises(StorageError, match="runs/toy"):
        new_run_folder(tmp_path / "runs", ASKED)


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """`tmp_path` may not be written; root may write everywhere, so be somebody else meanwhile."""
    tmp_path.chmod(0o500)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_may_not_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Permission denied"):
        new_run_folder(tmp_path / "runs", ASKED)
    with pytest.raises(StorageError, match="Permission denied"), held(tmp_path):
        pass


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path):
        assert in_use(tmp_path)
        with pytest.raises(StorageError, match="another run is using it"), held(tmp_path):
            pass
    assert not in_use(tmp_path)
    with held(tmp_path):
        pass


def test_a_disk_without_room_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 2**60)
    folder = tmp_path / "run"
    with pytest.raises(StorageError, match=f"{folder}: .* MiB free, a run needs at least"), held(folder):
        pass
    assert not folder.exists()


def test_the_newest_unfinished_run_is_found_again(tmp_path: Path) -> None:
    assert unfinished(tmp_path, ASKED) is None
    folders = [new_run_folder(tmp_path, ASKED, now=NOW.replace(hour=hour)) for hour in (1, 2, 3, 4)]
    other = dataclasses.replace(ASKED, code="another")
    for folder, status in zip(folders, (Status.FAILED, Status.STOPPED, Status.SUCCEEDED, Status.STOPPED), strict=True):
        _run(status=status).save(folder)
    _run(status=Status.STOPPED, asked=other, fingerprint=other.fingerprint).save(folders[3])
    assert unfinished(tmp_path, ASKED) == folders[1]
    with held(folders[1]):
        assert unfinished(tmp_path, ASKED) == folders[0]
    assert len(list(find_runs(tmp_path))) == 4
