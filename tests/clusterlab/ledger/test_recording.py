"""Many uses put on record together come to what each by itself comes to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clusterlab.errors import InputError
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.ledger.conftest import asked, held, use


@pytest.mark.parametrize("together", [True, False])
def test_a_machine_that_says_another_run_later_is_no_second_use(ledger: Ledger, together: bool) -> None:
    ours, theirs = use(2), use(2, run="r2")
    found = (
        ledger.record_all([ours, theirs]) if together else [*ledger.record_all([ours]), *ledger.record_all([theirs])]
    )
    assert [isinstance(each, InputError) for each in found] == [False, True]
    assert held(ledger) == Decimal(2)


def test_several_machines_of_a_run_are_committed_once_and_hold_their_sum(ledger: Ledger) -> None:
    ledger.reserve(asked(run="r1", usd="1"))
    ledger.record_all([use(2), use(3, resource_id="i-2"), use(2)])
    assert held(ledger) == Decimal(5)
    assert ledger.settle("r1").micro_usd == 0
    assert ledger.verify() is None


def test_what_is_nobodys_goes_on_and_ends_as_one_use(ledger: Ledger) -> None:
    ledger.record_all([use(None, run=None), use(2, run=None)])
    assert held(ledger) == Decimal(2)


def test_a_run_that_is_not_over_holds_up_no_other_that_is_settled_with_it(ledger: Ledger) -> None:
    ledger.reserve(asked(run="r1", usd="5"))
    ledger.record_all([use(2), use(None, run="r2", resource_id="i-2")])
    going_on, unknown, settled = ledger.settle_all(["r2", "r3", "r1"])
    assert isinstance(going_on, InputError)
    assert "i-2 goes on" in str(going_on)
    assert isinstance(unknown, InputError)
    assert not isinstance(settled, InputError)
    assert settled.usd == Decimal(-3)
    assert ledger.settle_all(["r1"]) == [settled]
    assert ledger.verify() is None
