from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest
import yaml

from tests.clusterlab.conftest import ROOT, spoil
from tests.infra.graph import EchoMocks, Graph, run

PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
Up = Callable[..., Graph]


class NoCloud(EchoMocks):
    """Fails where anything is asked of a cloud."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, object]]:
        raise AssertionError(f"{args.typ} was asked for")


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> Up:
    """Runs the program as Pulumi's language host does: from within the folder of `main`, and that folder by path."""
    monkeypatch.setattr(sys, "argv", ["."])
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(ROOT))])

    def up(stack: str, *, root: Path = ROOT, answers: EchoMocks | None = None) -> Graph:
        monkeypatch.chdir(root / PROJECT["main"])
        # Of the folder that was the current one before.
        sys.path_importer_cache.pop(".", None)
        return run(lambda: runpy.run_path(".", run_name="__main__"), stack=stack, answers=answers)

    return up


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Another repository with the program and the class."""
    for path in ("infra/__main__.py", "clusters/llm-2026.yaml", "clusters/slurm.yaml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    return tmp_path


def test_the_stack_of_a_class_provisions_what_its_file_says(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing that a test imported from the root helps the program to find its own packages.
    for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
        monkeypatch.delitem(sys.modules, name)
    graph = up("llm-2026")
    assert (graph.exports["course"], graph.exports["aws_vpc_name"]) == ("llm-2026", "clusterlab-llm-2026-network")
    assert graph.of("clusterlab:aws:Network")


def test_a_stack_without_a_file_is_refused_with_those_that_have_one(up: Up) -> None:
    with pytest.raises(pulumi.RunError, match=r"llm-2025.yaml: there is no such class; allowed: demo, llm-2026$"):
        up("llm-2025", answers=NoCloud())


def test_every_fault_of_the_file_is_told_before_anything_is_asked_of_a_cloud(up: Up, copy: Path) -> None:
    file = copy / "clusters" / "llm-2026.yaml"
    wrong = {
        "infra: [aws/us-east-1,": "infra: [aws/us-east-9,",
        "m5.large,": "m5.vast,",
        "roster: 24": "roster: [ana, ana]",
        "start: 2026-09-01": "start: 2027-09-01",
        "course: 2500": "course: 0",
        "\nmode:": "\nmood:",
    }
    for old, new in wrong.items():
        spoil(file, old, new)
    with pytest.raises(pulumi.RunError) as error:
        up("llm-2026", root=copy, answers=NoCloud())
    keys = [line.removeprefix(f"{file}: ").partition(":")[0] for line in str(error.value).splitlines()]
    assert sorted(keys) == ["budget_usd.course", "dates", "infra", "instances", "mood", "roster"]


def test_pulumi_finds_the_program_and_its_environment() -> None:
    assert (ROOT / PROJECT["main"] / "__main__.py").is_file()
    assert PROJECT["runtime"]["options"]["virtualenv"] == ".venv/sky"
