from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clusterlab.rehearsal.steps import RECORD, StepError, Steps, Verdict, table


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    console = Console(file=io.StringIO(), width=120)
    return Steps(folder=tmp_path, about={"labs": ["labs/qlora.yaml"], "fault": None}, console=console)


def read(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / RECORD).read_text())
    return values


def test_every_step_is_on_disk_as_soon_as_it_begins(steps: Steps, tmp_path: Path) -> None:
    with steps.step("launch"):
        assert [step["verdict"] for step in read(tmp_path)["steps"]] == [None]
        assert read(tmp_path)["verdict"] == "FAIL"
    assert read(tmp_path)["verdict"] == "PASS"
    assert read(tmp_path)["labs"] == ["labs/qlora.yaml"]


def test_a_step_that_fails_says_why_and_fails_the_whole(steps: Steps, tmp_path: Path) -> None:
    with steps.step("launch"):
        pass
    with pytest.raises(StepError), steps.step("down"):
        raise StepError("a machine is left")
    record = read(tmp_path)
    assert (record["verdict"], record["steps"][1]["notes"]) == ("FAIL", ["a machine is left"])


def test_an_interruption_is_told_from_a_failure(steps: Steps) -> None:
    with pytest.raises(KeyboardInterrupt), steps.step("launch"):
        raise KeyboardInterrupt
    assert steps.verdict is Verdict.STOPPED


def test_a_defect_of_ours_fails_the_step_and_keeps_its_traceback(steps: Steps, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), steps.step("launch"):
        _ = 1 / 0
    assert "ZeroDivisionError" in read(tmp_path)["steps"][0]["notes"][0]


def test_the_table_shows_each_step_with_its_verdict_and_what_was_seen(steps: Steps, tmp_path: Path) -> None:
    with steps.step("launch") as step:
        step.notes.append("g6.xlarge in us-east-1a [x]")
    output = io.StringIO()
    Console(file=output, width=120).print(table(read(tmp_path)))
    assert "rehearsal: PASS" in output.getvalue()
    assert "g6.xlarge in us-east-1a [x]" in output.getvalue()
