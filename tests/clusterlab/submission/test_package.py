from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.submission import package
from clusterlab.submission.package import Package


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a file of each kind."""
    for name in ("jobs/a.py", "new.txt", "tests/test_a.py", ".venv/big", "deleted.py", "run.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text(".venv/\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "outside").symlink_to("/etc/hostname")
    for command in (["init", "--quiet"], ["add", "jobs", "tests", "deleted.py", "outside"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "deleted.py").unlink()
    return tmp_path


def test_what_git_has_or_would_take_is_packed_and_nothing_else(root: Path) -> None:
    packed = zipfile.ZipFile(io.BytesIO(Package.of(root).content()))
    assert packed.namelist() == [".gitignore", "jobs/a.py", "new.txt", "run.sh"]
    assert packed.read("jobs/a.py") == b"jobs/a.py"
    assert [info.external_attr >> 16 & 0o111 for info in packed.infolist()] == [0, 0, 0, 0o111]


def test_its_name_is_that_of_its_content_whenever_it_was_written(root: Path) -> None:
    before = Package.of(root)
    os.utime(root / "new.txt", (1, 1))
    (root / ".venv" / "big").write_text("other")
    after = Package.of(root)
    assert (after.uri, after.content()) == (before.uri, before.content())
    assert before.uri.startswith("gcs://_ray_pkg_")
    (root / "new.txt").write_text("other")
    assert Package.of(root).uri != before.uri


def test_what_is_too_big_is_refused_with_the_biggest_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_BYTES", 2**20)
    (root / "weights.bin").write_bytes(b"x" * 2**21)
    message = r"2 MiB would be sent; allowed: 1 MiB; .gitignore leaves out, and the biggest are weights.bin \(2.0 MiB\)"
    with pytest.raises(InputError, match=message):
        Package.of(root)


def test_a_folder_that_is_no_repository_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="not a repository of git's, which says what a job needs"):
        Package.of(tmp_path)
