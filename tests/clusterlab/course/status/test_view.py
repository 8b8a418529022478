"""A class in moto's EC2, on a real ledger and a Ray's dashboard, looked at again and again."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.course.status.gpu import State
from clusterlab.course.status.job import QUEUE
from clusterlab.course.status.job import State as JobState
from clusterlab.course.status.need import Kind
from clusterlab.course.status.part import Name
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.queue import Queue
from clusterlab.submission.ticket import State as TicketState
from clusterlab.submission.ticket import Ticket
from tests.clusterlab.course.status.conftest import THERE, School


def test_a_gpu_is_idle_when_two_processes_saw_it_low_a_quarter_of_an_hour_apart(school: School) -> None:
    [name] = school.launch()
    school.dashboard.node["ip"] = school.address_of(name)
    school.dashboard.measure(2)
    school.dashboard.node["raylet"]["resourcesTotal"]["GPU"] = 1
    [first] = school.view.snapshot().gpus or ()
    assert (first.state, first.machine) == (State.LOW, name)
    school.later(minutes=15)
    seen = school.fresh().snapshot()
    [second] = seen.gpus or ()
    assert (second.state, str(second.usd_per_hour)) == (State.IDLE, "0.8048")
    assert [(each.kind, each.whose) for each in seen.needs] == [(Kind.IDLE, "ana")]
    school.dashboard.measure(60)
    school.later(minutes=1)
    [third] = school.view.snapshot().gpus or ()
    assert (third.state, third.low) == (State.BUSY, None)


def test_what_the_account_has_is_seen_by_tag_in_every_region_with_its_lease(school: School) -> None:
    school.launch(hours=-1, student="ben", run="r2")
    school.launch(hours=3, region=THERE)
    school.launch(course="nlp-2026", student="eve")
    school.launch(hours=None, student="eva", run="r3")
    seen = school.view.snapshot()
    assert seen.holdings is not None
    assert [(each.student, each.past) for each in seen.leases or ()][:2] == [("ben", True), ("ana", False)]
    assert {each.student for each in seen.holdings} == {"ana", "ben", "eva"}
    assert {each.resource.region for each in seen.holdings} == {"us-east-1", "eu-west-1"}
    [need] = [each for each in seen.needs if each.kind is Kind.LEASE]
    assert (need.what, need.whose, str(need.usd_per_hour)) == ("r2", "ben", "0.80")


def test_what_the_ledger_says_is_shown_for_student_team_and_course(school: School) -> None:
    school.use(12)
    school.use(30, resource_id="i-2", student="ben", run="r2")
    seen = school.view.snapshot()
    assert seen.books is not None
    spent = {(each.scope, each.name): (str(each.spent), each.share) for each in seen.books.purses}
    assert spent[Scope.STUDENT, "ana"][0] == "12.00"
    assert spent[Scope.STUDENT, "ben"] == ("30.00", None)
    assert spent[Scope.TEAM, "red"][0] == "42.00"
    assert spent[Scope.COURSE, "llm-2026"][0] == "42.00"
    assert [each.what for each in seen.needs if each.kind is Kind.BUDGET] == ["team red"]


def test_a_place_that_fails_is_a_blind_spot_and_the_others_are_shown(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    school.launch()
    school.dashboard.broken = 500
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{school.folder / 'nowhere.db'}")
    seen = school.view.snapshot()
    assert seen.machines is not None
    assert len(seen.machines) == 1
    assert (seen.books, seen.jobs) == (None, None)
    assert {each.what for each in seen.needs if each.kind is Kind.BLIND} == {Name.RAY, Name.LEDGER}
    document = seen.as_json()
    assert (document["budgets"], document["jobs"], document["needs_somebody"]) == (None, None, True)
    assert json.loads(json.dumps(document)) == document


def test_a_cloud_that_refuses_is_unknown_and_not_empty(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ClusterlabError("AWS credentials: none")

    object.__setattr__(school.sources, "cloud", refuse)
    seen = school.view.snapshot()
    assert (seen.holdings, seen.leases, seen.per_hour) == (None, None, None)
    assert seen.as_json()["resources"] is None
    assert [each.why for each in seen.needs] == ["AWS credentials: none"]
    assert seen.jobs is not None
    del monkeypatch


def test_looks_that_cannot_be_kept_are_told_and_kept_in_memory(school: School) -> None:
    [name] = school.launch()
    school.dashboard.node["ip"] = school.address_of(name)
    school.dashboard.measure(0, 0)
    school.view.memory.parent.mkdir()
    school.view.memory.write_text("spoilt")
    assert "no looks at GPUs" in school.view.snapshot().notes[0]
    school.now += timedelta(minutes=15)
    assert [each.state for each in school.view.snapshot().gpus or ()] == [State.IDLE, State.IDLE]
    assert school.view.memory.read_text() == "spoilt"


def test_what_waits_for_its_turn_is_a_job_that_waits(school: School) -> None:
    with closing(Ledger.open(school.url, clock=lambda: school.now)) as ledger:
        queue = Queue(ledger=ledger, course="llm-2026", limits=school.sources.cluster.limits)
        queue.begin()
        queue.join(
            Ticket(
                id="r7",
                course="llm-2026",
                student="eva",
                lab="zero",
                fingerprint="f",
                folder="r7",
                gpus=Decimal(1),
                hours=Decimal(1),
                due=None,
                state=TicketState.WAITING,
                joined=school.now,
                beat=school.now,
            )
        )
    jobs = school.view.snapshot().jobs or ()
    assert [(each.student, each.state, each.where == QUEUE) for each in jobs] == [
        ("ana", JobState.RUNNING, False),
        ("ben", JobState.WAITING, False),
        ("eva", JobState.WAITING, True),
    ]
