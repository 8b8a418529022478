"""A ledger that stays open reads only what is new: it must answer as one that was opened just now."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import CompoundSelect, Select, event

from clusterlab.cost.interval import Source
from clusterlab.errors import ClusterlabError, InputError
from clusterlab.ledger import journal, standing
from clusterlab.ledger.budget import BudgetError
from clusterlab.ledger.closing import conclude
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, held, use

RESOURCES = ["i-1", "i-10", "vol-1"]


def _step(chance: random.Random, ledger: Ledger, clock: Clock) -> None:
    """Something that may happen, sensible or not."""
    run, resource = chance.choice(["r1", "r2", "r3"]), chance.choice(RESOURCES)
    start = NOON + timedelta(hours=chance.randrange(3))
    end = None if chance.random() < 0.5 else start + timedelta(hours=chance.randrange(2))
    used = use(run=chance.choice([run, None]), resource_id=f"{resource}-{run}")
    clock.now += timedelta(minutes=chance.randrange(90))
    verbs: list[Any] = [
        lambda: ledger.reserve(asked(3, run=run, expires=clock.now + timedelta(hours=5))),
        lambda: ledger.commit(run),
        lambda: ledger.release(run),
        lambda: ledger.record(_between(used, start, end)),
        lambda: ledger.record(_between(used, start, end)),
        lambda: ledger.record_all([_between(used, start, end), _between(used, start, None)]),
        lambda: ledger.settle(run),
        ledger.accrue,
        lambda: ledger.correct(run, Decimal("0.25"), why="a test"),
    ]
    with suppress(InputError, BudgetError):
        chance.choice(verbs)()


def _between(used: Any, start: Any, end: Any) -> Any:
    return replace(used, start=start, end=end)


def _answers(ledger: Ledger) -> tuple[Any, ...]:
    names = [f"{resource}-{run}" for resource in RESOURCES for run in ("r1", "r2", "r3")]
    unsettled = {run: sorted(map(str, intervals)) for run, intervals in ledger.unsettled().items()}
    return ledger.spendings(), unsettled, ledger.latest(Source.EC2, names), ledger.latest(Source.RAY, names)


@pytest.mark.parametrize("seed", range(2))
def test_what_was_followed_row_by_row_is_what_all_rows_come_to(url: str, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger.open(url, begin=True, clock=clock)
    for _ in range(40):
        _step(chance, ledger, clock)
        followed = _answers(ledger)
        fresh = Ledger.open(url, clock=clock)
        assert followed == _answers(fresh)
        fresh.close()
    assert ledger.verify() is None
    ledger.close()


def test_a_resource_that_went_on_is_told_without_being_asked_for(ledger: Ledger) -> None:
    ledger.record(use(None))
    ledger.record(use(2, resource_id="i-2"))
    assert ledger.latest(Source.EC2, []) == {"i-1": use(None)}
    assert ledger.latest(Source.EC2, ["i-2", "i-3"]) == {"i-1": use(None), "i-2": use(2, resource_id="i-2")}
    ledger.record(use(3))
    assert ledger.latest(Source.EC2, []) == {}


def test_what_was_corrected_of_what_is_nobodys_is_no_use(url: str, clock: Clock) -> None:
    ledger = Ledger.open(url, begin=True, clock=clock)
    ledger.record(use(None, run=None))
    clock.now += timedelta(hours=3)
    ledger.accrue()
    ledger.record(use(1, run=None))
    conclude(ledger, "llm-2026")
    ledger.close()
    again = Ledger.open(url, clock=clock)
    assert again.latest(Source.EC2, ["i-1"]) == {"i-1": use(1, run=None)}
    assert held(again) == Decimal(1)
    again.close()


def test_one_use_that_is_refused_holds_up_no_other(ledger: Ledger) -> None:
    ledger.record(use(2))
    first, second = ledger.record_all([use(3), use(1, resource_id="i-2")])
    assert isinstance(first, InputError)
    assert not isinstance(second, ClusterlabError)
    assert [each.resource_id for each in ledger.intervals()] == ["i-1", "i-2"]


def test_what_a_verb_wrote_and_lost_is_forgotten(ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reservation expires within `accrue`, whose transaction then fails."""
    ledger.reserve(asked(5, expires=NOON + timedelta(hours=1)))
    assert str(ledger.spendings()[0].budget.held_usd) == "5.000000"
    clock.now += timedelta(hours=2)
    with monkeypatch.context() as patch:
        patch.setattr("clusterlab.ledger.ledger.accrue", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            ledger.accrue()
    assert str(ledger.spendings()[0].budget.held_usd) == "5.000000"
    assert ledger.accrue() == []
    assert ledger.spendings()[0].budget.held_usd == 0


def test_a_question_reads_what_is_new_and_not_the_course(ledger: Ledger) -> None:
    for number in range(30):
        ledger.record(use(1, run=f"r{number}", resource_id=f"i-{number}"))
        ledger.settle(f"r{number}")
    ledger.spendings()
    read: list[str] = []

    def note(*arguments: Any) -> None:
        read.append(arguments[2])

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    ledger.spendings()
    assert held(ledger) == 30
    assert not [text for text in read if "GROUP BY" in text and "balances" not in text]
    assert len([text for text in read if "FROM entries" in text]) == 2


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", [standing._OF_RESOURCES, journal._DUE, journal._OF_MANY])
def test_what_is_looked_up_is_found_through_an_index_however_long_the_ledger_is(
    ledger: Ledger, statement: CompoundSelect[Any] | Select[Any]
) -> None:
    given = {"runs": ["r1"], "intervals": ["i-1 x"], "after": "x", "now": "y"} | standing._ranges(["i-1", "i-2"])
    bound = statement.params({key: given[key] for key in statement.compile().params if key in given})
    with ledger.database.reading() as connection:
        told = str(bound.compile(connection, compile_kwargs={"literal_binds": True}))
        steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {told}")]
    assert any("SEARCH entries USING INDEX" in step for step in steps)
    assert not any("SCAN entries" in step for step in steps)
