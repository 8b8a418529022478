from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError, StorageError
from clusterlab.template.write import write_new


def test_files_are_written_with_the_folders_that_they_need(tmp_path: Path) -> None:
    write_new({tmp_path / "a" / "one": "1\n", tmp_path / "two": "2\n"})
    assert [(tmp_path / "a" / "one").read_text(), (tmp_path / "two").read_text()] == ["1\n", "2\n"]


def test_nothing_is_written_where_the_second_file_exists(tmp_path: Path) -> None:
    (tmp_path / "two").write_text("mine")
    with pytest.raises(InputError, match=r"two: is there already, and stays as it is; allowed: a name that is new"):
        write_new({tmp_path / "one": "1", tmp_path / "two": "2"})
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    assert (tmp_path / "two").read_text() == "mine"


def test_a_link_that_leads_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"one: is there already"):
        write_new({tmp_path / "one": "1"})
    assert not (tmp_path / "elsewhere").exists()


def test_what_was_written_is_taken_away_where_the_next_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/two: cannot be written: "):
        write_new({tmp_path / "one": "1", tmp_path / "file" / "two": "2"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
