from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.course.config import ADMIN_POLICY
from tests.clusterlab.conftest import ROOT, spoil
from tests.clusterlab.course.preflight.conftest import Make, Quotas
from tests.clusterlab.course.preflight.test_budget import caps

FILE = "clusters/llm-2026.yaml"
OFFLINE = ["quota", "capacity"]


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["class", "preflight", FILE, *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def document(*arguments: str) -> tuple[int, dict[str, Any]]:
    code, out = invoke(*arguments, "--json")
    return code, json.loads(out)


@pytest.fixture
def ready(make: Make, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class at which nothing is to be mended, but that its prices grow old."""
    today = datetime.now(UTC).date()
    make(dates={"start": today, "end": today + timedelta(days=100)}, labs={"toy": {"due": today}})
    (house / ".sky.yaml").write_text(f"admin_policy: {ADMIN_POLICY}\n")
    ledger = tmp_path / "ledger.db"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{ledger}")
    caps(ledger, course=1000, ana=100, ben=100, eva=100)
    return house


@pytest.mark.usefixtures("ready")
def test_a_class_that_is_ready_exits_with_0_offline_and_says_what_was_not_asked() -> None:
    code, found = document("--offline")
    by_name = {each["name"]: each["verdict"] for each in found["checks"]}
    assert (code, found["course"], found["ready"]) == (0, "llm-2026", True)
    assert [by_name.pop(name) for name in OFFLINE] == ["WARN"] * 2
    by_name.pop("prices")  # As old as the day on which this runs makes them.
    assert set(by_name.values()) == {"PASS"}


@pytest.mark.usefixtures("ready")
def test_strict_takes_a_warning_for_a_failure() -> None:
    code, found = document("--offline", "--strict")
    assert (code, found["ready"]) == (1, False)


def test_one_failure_exits_with_1_and_the_others_are_told_all_the_same(ready: Path) -> None:
    spoil(ready / ".sky.yaml", "CoursePolicy", "Another")
    code, out = invoke("--offline")
    assert (code, "llm-2026: 1 FAIL, " in out, "write `admin_policy:" in out) == (1, True, True)
    assert "roster" in out


@pytest.mark.usefixtures("ready")
def test_a_cloud_that_refuses_is_a_warning(quotas: Quotas) -> None:
    quotas.values["L-DB2E81BA"] = "AccessDeniedException"
    _, found = document()
    [check] = [each for each in found["checks"] if each["name"] == "quota"]
    assert (check["verdict"], "AccessDeniedException" in check["seen"]) == ("WARN", True)


def test_a_file_with_faults_is_refused_before_anything_is_looked_at(ready: Path) -> None:
    spoil(ready / FILE, "- ben\n", "- ana\n")
    code, out = invoke("--offline")
    assert (code, f"{FILE}: roster: 'ana' stands twice" in out, "FAIL" in out) == (2, True, False)


def test_a_class_without_labs_is_refused(house: Path) -> None:
    spoil(house / FILE, "course: llm-2026\n", "course: llm-2026\nlabs: {}\n")
    code, out = invoke("--offline")
    assert (code, "labs: missing" in out) == (2, True)


def test_the_course_s_own_class_can_be_looked_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code, found = document("--offline")
    assert code in (0, 1)
    assert {each["name"] for each in found["checks"]} >= {"roster", "budget", "ledger", "policy", "server", *OFFLINE}
