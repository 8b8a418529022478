"""The acts in which hours pass, over a cloud of moto's: real metering, notices, sweeps, ledger and report."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.rehearsal.course import sums
from clusterlab.rehearsal.course.closing import final_report, take_down
from clusterlab.rehearsal.course.course import Course
from clusterlab.rehearsal.course.hours import lease_over, spent
from clusterlab.rehearsal.course.launches import machines_of
from clusterlab.rehearsal.steps import Step, StepError
from tests.clusterlab.rehearsal.course.conftest import launch


def played(act: object, course: Course) -> str:
    step = Step(name="act")
    act(course, step)  # type: ignore[operator]
    return " ".join(step.notes)


def test_a_class_ends_with_a_proof_and_a_report_whose_cents_add_up(course: Course) -> None:
    launch(course, course.roles.forgetful)
    launch(course, course.roles.runaway, "g4dn.12xlarge")
    began = course.clock.now()
    told = played(spent, course)
    assert "told of 50 %, 80 %, 100 %; stopped" in told
    assert "no launch of 0.01 USD any more" in told
    assert course.clock.now() - began < timedelta(hours=12)
    assert [each.runs for each in machines_of(course.roles.forgetful)] == [True]

    assert "in its lease, warn, stop, down" in played(lease_over, course)
    assert "none left in" in played(take_down, course)
    assert json.loads((course.out / "proof.json").read_text())["proven"] is True

    assert "USD in 2 cells" in played(final_report, course)
    with (course.out / "report.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["student"] for line in lines} == {course.roles.forgetful, course.roles.runaway}
    written = sum(Decimal(line["usd"]) for line in lines)
    assert abs(written - sums.by_the_cloud(course)) < Decimal("0.02")
    assert "report.html" in {path.name for path in course.out.iterdir()}


def test_a_use_that_the_meter_missed_is_seen_by_the_cloud_s_own_times(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(course, course.roles.runaway)
    monkeypatch.setattr(Course, "meter", lambda _: None)
    course.forward("while nobody looks", hours=3)
    played(take_down, course)
    with pytest.raises(StepError, match=r"metered 0\.00 USD, by EC2's own times 2\."):
        played(final_report, course)


def test_a_machine_that_nobody_stops_is_a_failure(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(course, course.roles.runaway, "g4dn.12xlarge")
    monkeypatch.setattr("clusterlab.rehearsal.course.hours.MOST_HOURS", 1)
    with pytest.raises(StepError, match=r"told of nothing, 1 machines run; expected 100 %"):
        played(spent, course)
