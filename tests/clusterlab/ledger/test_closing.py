from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.ledger.budget import BudgetError, Scope
from clusterlab.ledger.closing import How, close, conclude, is_closed, last_closing, seal
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, held, use

COURSE = "llm-2026"


def ended(ledger: Ledger) -> dict[str, How]:
    return {each.run: each.how for each in conclude(ledger, COURSE)}


def test_a_closed_course_launches_nothing_more_not_even_a_run_that_it_holds(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    assert close(ledger, COURSE) is not None
    for run in ("r1", "r2"):
        with pytest.raises(BudgetError, match=r"^course llm-2026: closed, nothing more is launched"):
            ledger.reserve(asked(1, run=run))
    assert is_closed(ledger, COURSE)


def test_closing_twice_is_one_row_and_a_new_cap_opens_it_again(ledger: Ledger) -> None:
    close(ledger, COURSE)
    head = ledger.head()
    assert close(ledger, COURSE) is None
    assert ledger.head() == head
    ledger.set_cap(Scope.COURSE, COURSE, Decimal(50))
    assert not is_closed(ledger, COURSE)
    ledger.reserve(asked(5))


def test_a_course_without_a_cap_is_closed_too_and_no_other_with_it(ledger: Ledger) -> None:
    close(ledger, "nlp-2026")
    with pytest.raises(BudgetError, match=r"^course nlp-2026: closed"):
        ledger.reserve(asked(1, course="nlp-2026"))
    ledger.reserve(asked(1))


def test_each_run_is_concluded_as_far_as_it_came(ledger: Ledger) -> None:
    for run in ("used", "only-reserved", "never-seen", "goes-on", "dear"):
        ledger.reserve(asked(3, run=run))
    ledger.commit("never-seen")
    ledger.record(use(2, run="used", resource_id="i-1"))
    ledger.record(use(None, run="goes-on", resource_id="i-2"))
    ledger.record(use(2, run="dear", resource_id="i-3", price_usd_per_hour=None, price_as_of=None))
    assert ended(ledger) == {
        "used": How.SETTLED,
        "only-reserved": How.RELEASED,
        "never-seen": How.CORRECTED,
        "goes-on": How.OPEN,
        "dear": How.OPEN,
    }
    # 2 of what was used, and what the two that stay open reserved.
    assert held(ledger) == 2 + 3 + 3


def test_concluding_again_adds_no_row(ledger: Ledger) -> None:
    ledger.reserve(asked(3))
    ledger.record(use(2))
    ledger.reserve(asked(3, run="r2"))
    ledger.reserve(asked(3, run="r3"))
    ledger.commit("r3")
    conclude(ledger, COURSE)
    head = ledger.head()
    assert ended(ledger) == {}
    assert ledger.head() == head


def test_what_is_nobody_s_holds_what_it_used(ledger: Ledger, clock: Clock) -> None:
    """It was looked at when it had ended already, and nobody knew."""
    nobodys = {"student": None, "team": None, "run": None, "resource_id": "i-server"}
    clock.now = NOON + timedelta(hours=3)
    ledger.record(use(None, **nobodys))
    assert held(ledger, COURSE) == 3
    ledger.record(use(2, **nobodys))
    assert ended(ledger) == {}
    assert held(ledger, COURSE) == 2
    head = ledger.head()
    ledger.record(use(2, **nobodys))
    conclude(ledger, COURSE)
    assert ledger.head() == head


def test_what_expired_is_free_already_and_other_courses_stay_as_they_are(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(3))
    ledger.reserve(asked(3, run="other", course="nlp-2026"))
    clock.now = NOON + timedelta(hours=12)
    close(ledger, COURSE)
    assert ended(ledger) == {}
    assert held(ledger) == 0


def test_a_seal_is_one_row_for_the_same_report_and_another_for_another(ledger: Ledger) -> None:
    assert last_closing(ledger, COURSE) is None
    first = seal(ledger, COURSE, {"bill_usd": "3.00"})
    assert seal(ledger, COURSE, {"bill_usd": "3.00"}) == first
    assert seal(ledger, COURSE, {"bill_usd": "3.01"}).seq == first.seq + 1
    assert last_closing(ledger, COURSE) != first
