"""The acts in which hours pass, over a cloud of moto's: real metering, notices, sweeps, ledger and report."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from clusterlab.cost.interval import Source
from clusterlab.course.ending import books
from clusterlab.metering.observation import Observation
from clusterlab.rehearsal.account import preempt
from clusterlab.rehearsal.course.bill import BILL, billed
from clusterlab.rehearsal.course.closing import final_report
from clusterlab.rehearsal.course.course import Course
from clusterlab.rehearsal.course.ending import take_down
from clusterlab.rehearsal.course.hours import lease_over, spent
from clusterlab.rehearsal.course.launches import machines_of
from clusterlab.rehearsal.steps import Step, StepError
from tests.clusterlab.rehearsal.course.conftest import launch


def played(act: object, course: Course) -> str:
    step = Step(name="act")
    act(course, step)  # type: ignore[operator]
    return " ".join(step.notes)


def _nothing_seen(*_: object, at: datetime, **__: object) -> Observation:
    return Observation(source=Source.EC2, at=at, covered=frozenset(), sightings=())


def test_a_class_ends_with_a_proof_and_a_report_whose_cents_add_up(course: Course) -> None:
    launch(course, course.roles.forgetful)
    launch(course, course.roles.runaway, "g4dn.12xlarge")
    taken = launch(course, course.roles.spot, spot=True)
    course.forward("until the spot machine is taken back", hours=1)
    preempt(taken)
    began = course.clock.now()
    told = played(spent, course)
    assert "told of 50 %, 80 %, 100 %; stopped" in told
    assert "no launch of 0.01 USD any more" in told
    assert course.clock.now() - began < timedelta(hours=12)
    assert [each.runs for each in machines_of(course.roles.forgetful)] == [True]

    assert "in its lease, warn, stop, down" in played(lease_over, course)
    ended = played(take_down, course)
    assert "none left in" in ended
    assert "asked for again, nothing is left to do" in ended
    proof = json.loads((course.out / "proof.json").read_text())
    assert proof["proven"] is True
    assert proof["ledger"]["closed"] is True

    reported = played(final_report, course)
    with (course.out / "report.csv").open() as file:
        *lines, total = csv.DictReader(file)
    assert {line["student"] for line in lines} == {course.roles.spot, course.roles.forgetful, course.roles.runaway}
    for column in ("metered_usd", "billed_usd"):
        assert sum(Decimal(line[column]) for line in lines) == Decimal(total[column]) > 10
    assert abs(billed(course.out / BILL) - Decimal(total["billed_usd"])) < Decimal("0.01")
    assert f"metered {total['metered_usd']}, billed {total['billed_usd']} USD by emulated-bill.csv" in reported
    assert "report.html" in {path.name for path in course.out.iterdir()}


def test_a_use_that_the_meter_missed_is_seen_by_the_cloud_s_own_times(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(course, course.roles.runaway)
    monkeypatch.setattr(Course, "meter", lambda _: None)
    monkeypatch.setattr(books, "usage", _nothing_seen)
    course.forward("while nobody looks", hours=3)
    played(take_down, course)
    with pytest.raises(StepError, match=r"metered 0\.00 USD, billed by the emulated cloud's own record 2\."):
        played(final_report, course)


def test_a_machine_that_nobody_stops_is_a_failure(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(course, course.roles.runaway, "g4dn.12xlarge")
    monkeypatch.setattr("clusterlab.rehearsal.course.hours.MOST_HOURS", 1)
    with pytest.raises(StepError, match=r"told of nothing, 1 machines run; expected 100 %"):
        played(spent, course)
