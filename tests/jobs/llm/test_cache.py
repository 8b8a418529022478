from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import StorageError
from jobs.llm.cache import VARIABLE, cached


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def _write(folder: Path) -> None:
    (folder / "weights").write_text("made")


def test_what_was_made_once_is_not_made_again() -> None:
    folder = cached("model", {"steps": 1}, _write)
    assert (folder / "weights").read_text() == "made"
    assert cached("model", {"steps": 1}, lambda _: pytest.fail("made again")) == folder


def test_another_recipe_is_another_folder() -> None:
    assert cached("model", {"steps": 1}, _write) != cached("model", {"steps": 2}, _write)


def test_what_failed_half_way_is_not_taken_for_whole(root: Path) -> None:
    def fail(folder: Path) -> None:
        _write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("model", {}, fail)
    assert list(root.iterdir()) == []


def test_two_that_make_the_same_at_once_agree() -> None:
    def make_and_be_overtaken(folder: Path) -> None:
        target = folder.with_name(folder.name.lstrip(".").rpartition(".")[0])
        target.mkdir()
        _write(target)
        _write(folder)

    assert (cached("model", {}, make_and_be_overtaken) / "weights").read_text() == "made"


def test_a_cache_that_cannot_be_written_is_a_clear_error(root: Path) -> None:
    root.write_text("a file in the way")
    with pytest.raises(StorageError, match="cannot be made"):
        cached("model", {}, _write)
