"""Whether a run holds what it used is remembered for as long as it surely does: the answer must be the same."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.cost.interval import Interval
from clusterlab.ledger.account import interval_key
from clusterlab.ledger.entry import Owner
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.standing import OpenRun
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, use

# Of a disk of 256 GB, a machine, and one of eight GPUs.
PRICES = [Decimal("0.08") * 256 / 730, Decimal("0.526"), Decimal("98.32"), Decimal(0), None]
MICROSECOND = timedelta(microseconds=1)


def _run(chance: random.Random, num_uses: int) -> OpenRun:
    run = OpenRun(owner=Owner(run="r1"), held_micro_usd=chance.randrange(20_000_000))
    for number in range(num_uses):
        start = NOON + timedelta(seconds=chance.uniform(-3600, 3600))
        end = start + timedelta(hours=1) if chance.random() < 0.3 else None
        used = replace(use(resource_id=f"i-{number}"), start=start, end=end, price_usd_per_hour=chance.choice(PRICES))
        run.intervals[interval_key(used)] = used
    return run


def _afresh(run: OpenRun) -> OpenRun:
    return OpenRun(owner=run.owner, held_micro_usd=run.held_micro_usd, intervals=run.intervals)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_remembered_is_what_is_added_up(seed: int) -> None:
    chance = random.Random(seed)
    run, now = _run(chance, num_uses=seed % 4), NOON
    for _ in range(60):
        now += timedelta(seconds=chance.expovariate(1 / chance.choice([0.001, 1, 900, 36_000])))
        # A server's clock may also be set back.
        at = now - timedelta(minutes=5) if chance.random() < 0.1 else now
        assert run.overrun_micro_usd(at) == _afresh(run).overrun_micro_usd(at)


def test_the_first_microsecond_beyond_what_is_held_is_seen() -> None:
    run = OpenRun(owner=Owner(run="r1"), held_micro_usd=1_000_000, intervals={"i-1": use(None)})
    assert run.overrun_micro_usd(NOON) == 0
    # A dollar an hour: a micro-dollar is 3.6 ms, of which half is rounded up.
    over = NOON + timedelta(hours=1, microseconds=1800)
    assert run.overrun_micro_usd(over - MICROSECOND) == 0
    assert run.overrun_micro_usd(over) == 1


def test_what_is_covered_for_long_is_not_added_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = OpenRun(owner=Owner(run="r1"), held_micro_usd=5_000_000, intervals={"i-1": use(None)})
    assert run.overrun_micro_usd(NOON) == 0
    monkeypatch.setattr(Interval, "usd", lambda *_: 1 // 0)
    assert run.overrun_micro_usd(NOON + timedelta(hours=4)) == 0
    with pytest.raises(ZeroDivisionError):
        run.overrun_micro_usd(NOON + timedelta(hours=5))


def test_a_run_that_uses_more_from_now_on_is_worked_out_anew(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(5))
    ledger.record(use(None))
    clock.now += timedelta(hours=1)
    assert ledger.accrue() == []
    ledger.record(replace(use(None, resource_id="i-2"), start=clock.now, price_usd_per_hour=Decimal(10)))
    clock.now += timedelta(hours=1)
    (row,) = ledger.accrue()
    assert row.usd == 7


def test_a_budget_of_which_nothing_changed_is_told_as_it_was(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(5, student="bob", team=None))
    before = {each.budget.name: each for each in ledger.spendings()}
    clock.now += timedelta(hours=1)
    after = {each.budget.name: each for each in ledger.spendings()}
    assert after == before
    assert {name for name in after if after[name] is before[name]} == {"ana", "red"}
    ledger.reserve(asked(3, run="r2"))
    ledger.release("r2")
    assert {each.budget.name: str(each.budget.held_usd) for each in ledger.spendings()}["ana"] == "0.000000"
