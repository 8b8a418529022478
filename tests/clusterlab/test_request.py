from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.request import RESULTS, RESULTS_PAGE, Request, commit_of, usd_per_hour
from tests.repository import copy_repository

ROOT = Path(__file__).parents[2]
FOLDER = Path("/runs/a b")


def _request(**environment: str) -> Request:
    return Request.of("qlora", {"SCALE": "tiny"} | environment, root=ROOT)


def test_every_value_is_an_explicit_flag() -> None:
    request = _request(STEPS="7")
    words = shlex.split(request.entrypoint(FOLDER, python="python"))
    assert words[:6] == ["exec", "python", "-m", "jobs.launch.execute", "qlora", "--run=/runs/a b"]
    assert [word.partition("=")[0] for word in words[6:]] == [
        f"--{name.replace('_', '-')}" for name in request.asked.config
    ]
    assert "--steps=7" in words


def test_the_metadata_are_the_tags_and_the_fingerprint() -> None:
    request = _request(CLUSTERLAB_TAGS="course=llm-2026,lab=qlora,student=ana,team=red")
    labels = {"course": "llm-2026", "lab": "qlora", "student": "ana", "team": "red"}
    assert request.metadata() == labels | {"fingerprint": request.asked.fingerprint}


def test_without_tags_the_lab_is_the_job() -> None:
    assert _request().tags.format() == "course=none,lab=qlora,student=local"


def test_the_entrypoint_learns_folder_tags_price_and_fingerprint() -> None:
    request = _request(CLUSTERLAB_USD_PER_HOUR="0.80")
    variables = request.variables(FOLDER)
    assert variables["CLUSTERLAB_RUN_DIR"] == "/runs/a b"
    assert variables["CLUSTERLAB_TAGS"] == request.tags.format()
    assert variables["CLUSTERLAB_FINGERPRINT"] == request.asked.fingerprint
    assert variables["CLUSTERLAB_USD_PER_HOUR"] == "0.80"
    assert "CLUSTERLAB_USD_PER_HOUR" not in _request().variables(FOLDER)
    assert variables["PYTHONUNBUFFERED"] == "1"


@pytest.mark.parametrize("price", ["cheap", "-1", "NaN", "inf"])
def test_a_price_that_is_no_amount_is_refused(price: str) -> None:
    with pytest.raises(InputError, match=r"CLUSTERLAB_USD_PER_HOUR: .*allowed: dollars an hour"):
        usd_per_hour({"CLUSTERLAB_USD_PER_HOUR": price})


def test_the_commit_says_whether_files_differ_from_it(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path / "repository")
    environment = {"SCALE": "tiny", "CLUSTERLAB_COMMIT": "given"}
    assert _commit(repository, environment) == "given"
    for command in (["init", "--quiet"], ["add", "labs"], ["commit", "--quiet", "-m", "labs"]):
        identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        subprocess.run(["git", *command], cwd=repository, env=os.environ | identity, check=True)
    commit = _commit(repository, environment)
    assert commit.endswith("-dirty")
    assert len(commit) == 40 + len("-dirty")


def test_what_a_reproduction_keeps_makes_no_other_commit(tmp_path: Path) -> None:
    for path in (RESULTS / "echo.jsonl", RESULTS_PAGE):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-m", "none"]):
        subprocess.run(["git", "-C", tmp_path, *identity, *command], check=True)
    assert len(commit_of(tmp_path) or "") == 40
    (tmp_path / "labs" / "echo.yaml").touch()
    assert (commit_of(tmp_path) or "").endswith("-dirty")


def _commit(root: Path, environment: dict[str, str]) -> str:
    code = "import os, sys; from pathlib import Path; from clusterlab.request import Request; "
    code += "print(Request.of('echo', os.environ, root=Path.cwd()).commit)"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=root, env=os.environ | environment, capture_output=True, text=True, check=True
    ).stdout.strip()
