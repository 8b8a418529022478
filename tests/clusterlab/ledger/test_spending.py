from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.ledger.budget import BudgetError, Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.spending import Spending
from tests.clusterlab.ledger.conftest import Clock, asked, use


def spending(ledger: Ledger, name: str = "ana") -> Spending:
    return next(each for each in ledger.spendings() if each.budget.name == name)


def told(ledger: Ledger, name: str = "ana") -> str:
    found = spending(ledger, name)
    return f"{found.budget.held_usd:.2f} held, {found.spent} spent"


def test_what_is_reserved_is_held_and_not_spent(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(20))
    ledger.record(use(None))
    clock.now += timedelta(hours=4)
    for name in ("ana", "red", "llm-2026"):
        assert told(ledger, name) == "20.00 held, 4.00 spent"


def test_what_is_settled_and_corrected_is_spent(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(10))
    ledger.record(use(2))
    clock.now += timedelta(hours=3)
    ledger.settle("r1")
    ledger.correct("r1", Decimal("-0.5"), why="a credit")
    assert told(ledger) == "1.50 held, 1.50 spent"


def test_what_is_released_or_expired_is_neither(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(3))
    ledger.release("r1")
    ledger.reserve(asked(3, run="r2"))
    clock.now += timedelta(hours=13)
    ledger.set_cap(*_of(ledger))
    assert told(ledger) == "0.00 held, 0.00 spent"


def _of(ledger: Ledger) -> tuple[Scope, str, Decimal]:
    budget = spending(ledger).budget
    return budget.scope, budget.name, Decimal(20)


def test_a_price_that_is_not_known_makes_it_incomplete(ledger: Ledger, clock: Clock) -> None:
    ledger.record(use(None))
    ledger.record(use(None, resource_id="eip-1", price_usd_per_hour=None, price_as_of=None))
    clock.now += timedelta(hours=1)
    assert str(spending(ledger).spent) == "1.00 incomplete"


def test_a_machine_that_runs_on_beyond_its_reservation_blocks_the_next_launch(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(5))
    ledger.record(use(None))
    clock.now += timedelta(hours=20)
    assert ledger.record(use(None)).micro_usd == 0
    assert told(ledger) == "5.00 held, 20.00 spent"
    (row,) = ledger.accrue()
    assert row.usd == 15
    assert told(ledger) == told(ledger, "llm-2026") == "20.00 held, 20.00 spent"
    with pytest.raises(BudgetError, match=r"student ana: 0\.01 USD asked, 0\.00 of 20\.00 free"):
        ledger.reserve(asked("0.01", run="r2", expires=clock.now + timedelta(hours=1)))
    assert ledger.accrue() == []
    clock.now += timedelta(hours=1)
    ledger.record(use(21))
    clock.now += timedelta(hours=1)
    ledger.settle("r1")
    assert told(ledger) == "21.00 held, 21.00 spent"


def test_use_that_belongs_to_no_run_accrues_too(ledger: Ledger, clock: Clock) -> None:
    ledger.record(use(None, student=None, team=None, lab=None, run=None))
    clock.now += timedelta(hours=3)
    assert [row.usd for row in ledger.accrue()] == [3]
    assert told(ledger, "llm-2026") == "3.00 held, 3.00 spent"
