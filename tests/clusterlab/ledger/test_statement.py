from __future__ import annotations

from datetime import timedelta

import pytest

from clusterlab.errors import InputError
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, use


def test_what_was_held_and_used_is_told_by_student_and_lab(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(5))
    ledger.reserve(asked(7, run="r2", lab="zero"))
    ledger.reserve(asked(3, run="r3", student="bo"))
    ledger.record(use(None))
    ledger.record(use(1, resource_id="i-2"))
    clock.now = NOON + timedelta(minutes=30)
    told = [(each.student, each.lab, each.num_runs, str(each.held_usd), str(each.used)) for each in ledger.uses()]
    assert told == [
        ("ana", "qlora", 1, "5.000000", "1.50"),
        ("ana", "zero", 1, "7.000000", "0.00"),
        ("bo", "qlora", 1, "3.000000", "0.00"),
    ]


def test_what_was_reserved_is_that_of_launches_that_came_to_something(ledger: Ledger, clock: Clock) -> None:
    for run, usd in (("r1", 5), ("r2", 4), ("r3", 3)):
        ledger.reserve(asked(usd, run=run))
    ledger.record(use(1))
    ledger.settle("r1")
    ledger.release("r2")
    clock.now = NOON + timedelta(hours=12)
    ledger.reserve(asked(2, run="r4", expires=NOON + timedelta(hours=24)))
    [told] = ledger.uses()
    assert [told.reserved_usd, told.held_usd] == [7, 3]


def test_each_interval_is_told_as_it_was_last_recorded(ledger: Ledger) -> None:
    for each in (use(None), use(None, resource_id="i-2"), use(3)):
        ledger.record(each)
    assert ledger.intervals() == [use(3), use(None, resource_id="i-2")]


def test_use_at_a_price_that_is_not_known_makes_the_total_incomplete(ledger: Ledger) -> None:
    ledger.record(use(2))
    ledger.record(use(2, resource_id="i-2", price_usd_per_hour=None))
    [told] = ledger.uses()
    assert told.as_json()["used"] == {"usd": "2.000000", "num_unknown": 1, "complete": False}


def test_what_is_nobodys_has_a_line_of_its_own(ledger: Ledger) -> None:
    ledger.record(use(1, resource_id="i-3", student=None, team=None, course=None, lab=None, run=None))
    ledger.record(use(2))
    told = [(each.student, each.lab, str(each.used)) for each in ledger.uses()]
    assert told == [("ana", "qlora", "2.00"), (None, None, "1.00")]


def test_a_statement_has_one_course_and_what_is_nobodys(ledger: Ledger) -> None:
    nobody = {"student": None, "team": None, "course": None, "lab": None, "run": None}
    ledger.reserve(asked(5))
    ledger.record(use(None))
    ledger.record(use(1, resource_id="i-2", course="rl-2026", run="r2"))
    ledger.record(use(1, resource_id="i-3", **nobody))
    found = ledger.statement("llm-2026")
    assert [each.resource_id for each in found.intervals] == ["i-1", "i-3"]
    assert [(each.student, str(each.used)) for each in found.uses] == [("ana", "0.00"), (None, "1.00")]
    assert found.leases == {"r1": NOON + timedelta(hours=12)}
    assert ledger.statement("rl-2026").leases == {}


def test_a_course_is_named_where_there_are_several(ledger: Ledger) -> None:
    assert ledger.statement().course == "llm-2026"
    ledger.record(use(1, course="rl-2026"))
    with pytest.raises(InputError, match=r"--course: the ledger has several; allowed: llm-2026, rl-2026"):
        ledger.statement()
    with pytest.raises(InputError, match=r"--course: the ledger does not know llm; allowed: llm-2026, rl-2026"):
        ledger.statement("llm")
