from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlab.errors import MissingError
from infra.automation.needs import FOLDER, VERSION, backend, cli


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def put(folder: Path, version: str) -> Path:
    """A CLI that knows its version and nothing else."""
    path = folder / "bin" / "pulumi"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_the_cli_that_we_installed_goes_first(root: Path) -> None:
    ours = put(root / FOLDER, f"v{VERSION}")
    assert cli(root, install=False).command == str(ours)


def test_the_cli_on_path_will_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(put(root / "else", "v3.300.0").parent))
    assert str(cli(root, install=False).version) == "3.300.0"


def test_what_is_installed_is_not_installed_again(root: Path) -> None:
    ours = put(root / FOLDER, f"v{VERSION}")
    assert cli(root, install=True).command == str(ours)


def test_cli_of_another_age_is_refused(root: Path) -> None:
    put(root / FOLDER, "v2.9.0")
    with pytest.raises(MissingError, match=r"--install` installs 3\.272\.0 in \.cache/pulumi"):
        cli(root, install=False)


def test_install_without_a_network_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(MissingError, match=r"pulumi: 3\.272\.0 cannot be installed in \.cache/pulumi/3\.272\.0"):
        cli(root, install=True)


def test_backend_is_looked_for_where_pulumi_looks(tmp_path: Path) -> None:
    home = {"PULUMI_HOME": str(tmp_path / "home")}
    assert backend(tmp_path, home) is None
    assert backend(tmp_path, home | {"PULUMI_ACCESS_TOKEN": "x"}) == "https://api.pulumi.com"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text(json.dumps({"current": "s3://login"}))
    assert backend(tmp_path, home | {"PULUMI_ACCESS_TOKEN": "x"}) == "s3://login"
    (tmp_path / "Pulumi.yaml").write_text("name: x\nbackend: {url: 's3://project'}\n")
    assert backend(tmp_path, home) == "s3://project"
    assert backend(tmp_path, home | {"PULUMI_BACKEND_URL": "file://here"}) == "file://here"
