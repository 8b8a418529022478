from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from clusterlab.errors import MissingError
from clusterlab.rehearsal import needs


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is not root, so that nothing is tried out."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("user")
def test_all_that_is_missing_is_said_in_one_go_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone, which = ("mmdebstrap", "rsync", "ip"), shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool, path=None: None if tool in gone else which(tool, path=path))
    with pytest.raises(MissingError) as caught:
        needs.require(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("rehearse: root is needed")
    assert "apt-get install --no-install-recommends iproute2 mmdebstrap rsync" in lines[1]
    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("user")
def test_what_only_root_has_on_the_path_is_not_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    assert not [line for line in needs.missing(tmp_path) if "coreutils" in line]


@pytest.mark.usefixtures("user")
def test_skypilot_is_missed_where_it_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "moto", None)
    assert any("package moto is missing" in line and "`make check`" in line for line in needs.missing(tmp_path))


@pytest.mark.usefixtures("user")
def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Usage:
        free = 2**30

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    assert any(line.startswith(f"{tmp_path}: 1.0 GiB free") for line in needs.missing(tmp_path))


def test_another_system_is_told_so_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (line,) = needs.missing(tmp_path)
    assert line.startswith("Linux is needed")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_where_an_overlay_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(needs, "_TRY_OVERLAY", "echo mount failed >&2; exit 1")
    found = [line for line in needs.missing(tmp_path) if line.startswith(str(tmp_path))]
    assert any("no namespaces or no overlay file system there (mount failed)" in line for line in found)
    assert list(tmp_path.iterdir()) == []
