from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlab import skypilot
from clusterlab.document import Document
from clusterlab.errors import MissingError
from clusterlab.lab import lab_paths
from tests.clusterlab.conftest import ROOT, spoil
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

PARSE = """
import json, sys, yaml
import sky
for line in sys.stdin:
    path, envs, secrets = json.loads(line)
    task = sky.Task.from_yaml(path)
    with open(path) as file:
        overridden = sky.Task.from_yaml_config(yaml.safe_load(file), list(envs.items()), list(secrets.items()))
    resources = sorted(str(one.accelerators) for one in task.resources)
    print(json.dumps({
        "name": task.name, "envs": task.envs, "resources": resources, "labels": next(iter(task.resources)).labels,
        "overridden": overridden.envs, "secrets": sorted(overridden.secrets),
    }), flush=True)
"""
Parse = Callable[[Path, dict[str, str], dict[str, str]], dict[str, Any]]


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parse]:
    """Have SkyPilot itself read a task, as `sky launch` does with `--env` and `--secret`; one process reads all."""
    environment = skypilot.environment(tmp_path_factory.mktemp("home"))
    with subprocess.Popen(
        [sys.executable, "-c", PARSE],
        env=environment,
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        asked, answered = process.stdin, process.stdout

        def ask(path: Path, envs: dict[str, str], secrets: dict[str, str]) -> dict[str, Any]:
            asked.write(json.dumps([str(path), envs, secrets]) + "\n")
            asked.flush()
            parsed: dict[str, Any] = json.loads(answered.readline())
            return parsed

        yield ask
        asked.close()


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_skypilot_itself_accepts_each_lab(path: Path, parse: Parse) -> None:
    task = parse(path, {"SCALE": "tiny"}, {"HF_TOKEN": "x"})
    assert task["name"] == path.stem
    assert task["labels"]["lab"] == path.stem
    assert task["overridden"] == task["envs"] | {"SCALE": "tiny"}
    assert "HF_TOKEN" in task["secrets"]


def test_skypilot_itself_accepts_the_shared_cluster(parse: Parse) -> None:
    assert problems(ROOT / "sky.yaml") == []
    task = parse(ROOT / "sky.yaml", {"IDLE_MINUTES": "5"}, {"RAY_AUTH_TOKEN": "x"})
    assert task["name"] == "llm-2026"
    assert task["overridden"] == {"IDLE_MINUTES": "5"}
    assert task["secrets"] == ["RAY_AUTH_TOKEN"]


def problems(path: Path) -> list[str]:
    return [str(problem) for problem in skypilot.problems(Document.load(path, []))]


FAULTS = {
    "unknown key": ("setup:", "set_up:", "SkyPilot refuses it: unknown key 'set_up', did you mean setup?"),
    "unknown resource": ("disk_size:", "disksize:", "resources: SkyPilot refuses it: unknown key 'disksize'"),
    "wrong type": ("disk_size: 100", "disk_size: [1]", "resources.disk_size: SkyPilot refuses it:"),
    "wrong word": ("cpus: 4+", "cpus: 4+\n  cloud: moon", "resources.cloud: SkyPilot refuses it: 'moon'; allowed:"),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_what_the_schema_refuses_is_named_with_its_place(house: Path, old: str, new: str, message: str) -> None:
    path = house / "labs" / "toy.yaml"
    spoil(path, old, new)
    found = problems(path)
    assert any(message in problem for problem in found), found


def test_numbers_among_envs_are_no_fault(house: Path) -> None:
    path = house / "labs" / "toy.yaml"
    spoil(path, "SCALE: single", "SCALE: single\n  STEPS: 3\n  QUICK: true")
    assert problems(path) == []


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the schema is kept; empty, and SkyPilot is asked anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    skypilot.task_schema.cache_clear()
    yield tmp_path / "clusterlab" / f"skypilot-{skypilot.version()}-task.json"
    skypilot.task_schema.cache_clear()


def schema() -> dict[str, Any]:
    """The schema as another process would find it."""
    skypilot.task_schema.cache_clear()
    return skypilot.task_schema(skypilot.version() or "")


ASKED = {"task": {"asked": True}, "resources": {}}


def test_the_schema_is_asked_for_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = schema()
    assert "run" in asked["task"]["properties"]
    assert json.loads(cache.read_text()) == asked
    monkeypatch.setattr(skypilot, "_ask_skypilot", lambda: ASKED)
    assert schema() == asked


@pytest.mark.parametrize("text", ['{"task": ', "[]", "null", '{"task": {}}', '{"task": {}, "resources": 1}', "\x00"])
def test_a_corrupt_cache_is_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(skypilot, "_ask_skypilot", lambda: ASKED)
    cache.parent.mkdir()
    cache.write_text(text)
    assert schema() == ASKED
    assert json.loads(cache.read_text()) == ASKED


def test_a_cache_that_cannot_be_written_is_no_fault(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skypilot, "_ask_skypilot", lambda: ASKED)
    cache.parent.write_text("a file where the folder should be")
    assert schema() == ASKED


def test_a_skypilot_that_cannot_be_imported_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(skypilot, "_DUMP", "import nothing_of_this_name")
    with pytest.raises(MissingError, match="nothing_of_this_name"):
        schema()
    assert not cache.exists()


def test_nothing_is_refused_where_skypilot_is_not_installed(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skypilot, "version", lambda: None)
    spoil(house / "labs" / "toy.yaml", "setup:", "set_up:")
    assert problems(house / "labs" / "toy.yaml") == []
