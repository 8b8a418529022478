"""What the act of submissions makes of what `clusterlab submit` says; a rehearsal has it typed for real."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlab.class_budget import Limits
from clusterlab.lab import Lab
from clusterlab.rehearsal.course import submissions
from clusterlab.rehearsal.steps import StepError
from tests.clusterlab.conftest import ROOT

LAB = Lab.load(ROOT / "labs" / "qlora.yaml")
REFUSAL = "tasks/qlora.yaml: may take 12 GPU-hours; allowed: at most 4 for each\nstudent in the window"


def course(gpu_hours: str | None = "4") -> Any:
    """As much of a class as the act asks before Ray is asked."""
    limits = Limits(gpus=None, gpu_hours=Decimal(gpu_hours) if gpu_hours else None, window_days=7)
    roles, cluster = SimpleNamespace(runaway="leo"), SimpleNamespace(limits=limits)
    return SimpleNamespace(project=LAB, cluster=cluster, roles=roles, labs={"qlora": LAB}, out=Path())


def say(monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    """Let whatever a student types end so."""
    monkeypatch.setattr(submissions, "_type", lambda *_: CompletedProcess([], code, stdout="", stderr=said))


def test_what_is_beyond_the_limits_is_refused_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, 2, REFUSAL)
    [told] = submissions._refused(course())
    assert told.endswith("--scale full`: may take 12 GPU-hours; allowed: at most 4 for each student in the window")


@pytest.mark.parametrize(("code", "said"), [(0, ""), (2, "labs/qlora.yaml: no such file"), (1, REFUSAL)])
def test_what_is_beyond_the_limits_and_not_refused_for_them_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    say(monkeypatch, code, said)
    with pytest.raises(StepError, match=rf"qlora is over the limit at full scale, and ended with {code}"):
        submissions._refused(course())


def test_a_class_without_limits_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(submissions, "_type")
    assert submissions._refused(course(None)) == []


def test_a_submission_that_fails_names_its_student_and_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, 1, "out of memory")
    with pytest.raises(StepError, match=r"ana: `clusterlab submit` of qlora ended with 1: out of memory"):
        submissions._submit_all(course(), "ana")
