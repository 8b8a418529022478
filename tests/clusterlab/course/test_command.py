from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clusterlab.cli import app
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.course.test_config import AWS

FILE = "clusters/llm-2026.yaml"


def invoke(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["class", *arguments], input=stdin)
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_config_is_printed_of_outputs_on_stdin() -> None:
    code, out = invoke("config", FILE, "--outputs", "-", stdin=json.dumps(AWS))
    assert code == 0
    assert yaml.safe_load(out)["aws"]["vpc_name"] == "clusterlab-llm-2026"


def test_config_is_written_of_outputs_in_a_file(tmp_path: Path) -> None:
    outputs, path = tmp_path / "outputs.json", tmp_path / "config.yaml"
    outputs.write_text(json.dumps(AWS))
    code, out = invoke("config", FILE, "--outputs", str(outputs), "--write", str(path), "--json")
    assert code == 0
    assert json.loads(out)["changed"][0] == "admin_policy"
    assert json.loads(out)["config"] == yaml.safe_load(path.read_text())


@pytest.mark.parametrize("text", ["", "[]"], ids=["no JSON", "no mapping"])
def test_outputs_that_are_none_are_refused(text: str) -> None:
    code, out = invoke("config", FILE, "--outputs", "-", stdin=text)
    assert (code, out.startswith("-: ")) == (2, True)


@pytest.mark.parametrize("verb", ["config", "preview", "up", "down"])
def test_class_without_a_file_is_refused(verb: str) -> None:
    code, out = invoke(verb, "clusters/none.yaml")
    assert (code, "clusters/none.yaml: cannot be read" in out) == (2, True)


@pytest.mark.parametrize("verb", ["preview", "up", "down"])
def test_every_fault_of_the_file_is_told_before_anything_is_asked(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "llm-2026.yaml"
    text = (ROOT / FILE).read_text()
    path.write_text(text.replace("roster: 24", "roster: [ana, ana]").replace("course: 2500", "course: 0"))
    code, out = invoke(verb, str(path))
    assert code == 2
    assert "ana" in out
    assert "budget_usd" in out
