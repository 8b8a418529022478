from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.errors import InputError
from clusterlab.ledger.budget import BudgetError, Scope
from clusterlab.ledger.entry import Kind
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, held, use


def test_a_launch_holds_its_amount_of_student_team_and_course(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    assert [str(each.held_usd) for each in ledger.budgets()] == ["5.000000"] * 3
    free = {each.name: each.free_usd for each in ledger.budgets()}
    assert free == {"ana": 15, "red": 25, "llm-2026": 45}


def test_a_launch_that_fills_its_budget_is_covered_and_one_beyond_it_is_not(ledger: Ledger) -> None:
    ledger.reserve(asked(20))
    with pytest.raises(BudgetError, match=r"^student ana: 0.01 USD asked, 0.00 of 20.00 free$"):
        ledger.reserve(asked("0.01", run="r2"))
    assert held(ledger) == 20


def test_every_cap_in_the_way_is_named(ledger: Ledger) -> None:
    with pytest.raises(BudgetError) as error:
        ledger.reserve(asked(60))
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "student ana",
        "team red",
        "course llm-2026",
    ]


def test_others_are_stopped_by_the_cap_that_they_share(ledger: Ledger) -> None:
    ledger.reserve(asked(30, student="bo"))
    with pytest.raises(BudgetError, match=r"^team red: "):
        ledger.reserve(asked(1, run="r3"))
    with pytest.raises(BudgetError, match=r"^course llm-2026: "):
        ledger.reserve(asked(21, student="cy", team=None, run="r2"))


def test_without_any_cap_nothing_is_covered(ledger: Ledger) -> None:
    with pytest.raises(BudgetError, match=r"^budget of bo: nobody set one; `clusterlab budget set --student bo"):
        ledger.reserve(asked(0, student="bo", team=None, course="other"))


def test_the_same_launch_again_reserves_once(ledger: Ledger) -> None:
    first = ledger.reserve(asked(5))
    assert ledger.reserve(asked(5)) == first
    ledger.commit("r1")
    assert ledger.reserve(asked(4)) == first
    assert held(ledger) == 5


@pytest.mark.parametrize("changes", [{"student": "bo"}, {"lab": "zero"}, {"usd": Decimal(6)}])
def test_a_run_is_no_way_to_launch_something_else(ledger: Ledger, changes: dict[str, Any]) -> None:
    ledger.reserve(asked(5))
    with pytest.raises(InputError, match=r"^ledger: run r1: reserved 5.00 USD for ana, qlora; allowed: a run of its"):
        ledger.reserve(asked(**{"usd": 5} | changes))


def test_a_reservation_that_nobody_commits_expires(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(20))
    clock.now += timedelta(hours=12)
    assert ledger.reserve(asked(20, run="r2", expires=clock.now + timedelta(hours=1))).kind is Kind.RESERVE
    with pytest.raises(InputError, match=r"^ledger: run r1: its last step is expire; allowed: reserve"):
        ledger.commit("r1")


def test_one_that_is_committed_does_not_expire(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(20))
    assert ledger.commit("r1") == ledger.commit("r1")
    clock.now += timedelta(days=30)
    ledger.set_cap(Scope.STUDENT, "bo", Decimal(1))
    assert held(ledger) == 20


def test_an_expired_run_reserves_anew_and_expires_anew(ledger: Ledger, clock: Clock) -> None:
    for hours in (12, 24, 36):
        ledger.reserve(asked(20, expires=NOON + timedelta(hours=hours)))
        assert held(ledger) == 20
        clock.now = NOON + timedelta(hours=hours)
    ledger.set_cap(Scope.STUDENT, "bo", Decimal(1))
    assert held(ledger) == 0


def test_a_launch_that_came_to_nothing_is_released_once(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    assert ledger.release("r1") == ledger.release("r1")
    assert held(ledger) == 0
    ledger.reserve(asked(5))
    assert held(ledger) == 5


def test_what_is_launched_cannot_be_released(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    ledger.commit("r1")
    with pytest.raises(InputError, match=r"^ledger: run r1: its last step is commit; allowed: reserve"):
        ledger.release("r1")


def test_a_run_that_is_over_holds_what_it_used(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    ledger.record(use(None))
    ledger.record(use(2))
    assert held(ledger) == 5
    assert ledger.settle("r1").usd == -3
    assert ledger.settle("r1").kind is Kind.SETTLE
    assert [each.held_usd for each in ledger.budgets()] == [2, 2, 2]


def test_use_commits_so_that_a_machine_that_is_seen_cannot_expire(ledger: Ledger, clock: Clock) -> None:
    ledger.reserve(asked(5))
    ledger.record(use(None))
    clock.now += timedelta(days=1)
    ledger.set_cap(Scope.STUDENT, "bo", Decimal(1))
    assert held(ledger) == 5


def test_use_beyond_what_was_reserved_is_held_at_once(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    ledger.record(use(18))
    assert held(ledger) == 18
    with pytest.raises(BudgetError, match=r"^student ana: 2.50 USD asked, 2.00 of 20.00 free"):
        ledger.reserve(asked("2.5", run="r2"))


def test_use_that_nobody_reserved_is_held_too(ledger: Ledger) -> None:
    ledger.record(use(3))
    ledger.record(use(4, resource_id="i-2", student=None, team=None, lab=None, run=None))
    assert held(ledger) == 3
    assert held(ledger, "llm-2026") == 7


def test_the_same_use_again_is_on_record_once(ledger: Ledger) -> None:
    first = ledger.record(use(None))
    assert ledger.record(use(None)) == first
    ended = ledger.record(use(3))
    assert ledger.record(use(3)) == ended
    assert ledger.record(use(None)) == ended
    assert held(ledger) == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hours": 4}, "end"),
        ({"shape": "p5.48xlarge"}, "shape"),
        ({"price_usd_per_hour": Decimal(2)}, "price_usd_per_hour"),
        ({"price_usd_per_hour": None}, "price_usd_per_hour"),
        ({"student": "bo"}, "student"),
    ],
)
def test_use_on_record_never_changes(ledger: Ledger, changes: dict[str, Any], named: str) -> None:
    ledger.record(use(3))
    with pytest.raises(InputError, match=rf"^interval of i-1: on record with another {named}; allowed: its end, once"):
        ledger.record(use(**{"hours": 3} | changes))


def test_a_run_is_one_owners(ledger: Ledger) -> None:
    ledger.reserve(asked(5))
    with pytest.raises(InputError, match=r"^ledger: run r1: is of ana, qlora, not of bo, qlora"):
        ledger.record(use(1, student="bo"))


UNSETTLED = {
    "nothing used": ([], "no use of it is on record"),
    "goes on": ([use(None)], "i-1 goes on"),
    "no price": ([use(2), use(2, resource_id="i-2", price_usd_per_hour=None)], "the price of i-2 is not known"),
}


@pytest.mark.parametrize(("uses", "message"), UNSETTLED.values(), ids=UNSETTLED.keys())
def test_what_is_not_known_is_not_settled(ledger: Ledger, uses: list[Any], message: str) -> None:
    ledger.reserve(asked(5))
    for each in uses:
        ledger.record(each)
    with pytest.raises(InputError, match=rf"^ledger: run r1: cannot be settled: {message}$"):
        ledger.settle("r1")
    assert held(ledger) == 5


def test_a_correction_is_a_row_more(ledger: Ledger) -> None:
    ledger.record(use(3))
    ledger.settle("r1")
    row = ledger.correct("r1", Decimal("-0.50"), why="credit of November")
    assert (row.kind, row.usd, row.detail) == (Kind.CORRECT, Decimal("-0.5"), '{"why":"credit of November"}')
    assert held(ledger) == Decimal("2.5")


def test_a_correction_takes_no_more_than_there_is_and_says_why(ledger: Ledger) -> None:
    ledger.record(use(3))
    with pytest.raises(InputError, match=r"^ledger: run r1: holds 3.0*, which -4 would lower below 0"):
        ledger.correct("r1", Decimal(-4), why="slip")
    with pytest.raises(InputError, match=r"^ledger: run r9: unknown"):
        ledger.correct("r9", Decimal(1), why="slip")
    with pytest.raises(InputError, match=r"^correction: why: empty"):
        ledger.correct("r1", Decimal(1), why=" ")


def test_a_lower_cap_takes_nothing_back_and_blocks_what_is_new(ledger: Ledger) -> None:
    ledger.reserve(asked(10))
    budget = ledger.set_cap(Scope.STUDENT, "ana", Decimal(4))
    assert [budget.cap_usd, budget.held_usd, budget.free_usd] == [4, 10, -6]
    with pytest.raises(BudgetError, match=r"^student ana: 1.00 USD asked, -6.00 of 4.00 free"):
        ledger.reserve(asked(1, run="r2"))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "negative": ({"usd": -1}, r"^reservation: usd: -1; allowed: USD from 0"),
    "not a number": ({"usd": "NaN"}, r"^reservation: usd: NaN; allowed: USD from 0"),
    "too fine": ({"usd": "0.0000001"}, r"^reservation: usd: 1E-7; allowed: USD from 0"),
    "no label": ({"student": "Ana"}, r"^reservation: student: 'Ana' is not a label"),
    "no run": ({"run": None}, r"^reservation: run: None is not a label"),
    "local time": ({"expires": datetime(2026, 11, 26)}, r"^reservation: expires: .*; allowed: an instant in UTC"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_reserved_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        asked(**changes)


def test_what_would_expire_at_once_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match=r"^reservation: expires: 2026-11-25T12.* is past; it is 2026-11-25T12"):
        ledger.reserve(asked(expires=NOON))


@pytest.mark.parametrize(("scope", "name", "usd"), [(Scope.STUDENT, "Ana", 1), (Scope.TEAM, "red", -1)])
def test_a_cap_is_of_a_label_and_from_0(ledger: Ledger, scope: Scope, name: str, usd: int) -> None:
    with pytest.raises(InputError, match=r"^budget: "):
        ledger.set_cap(scope, name, Decimal(usd))


def test_a_clock_that_is_a_little_behind_is_taken_for_the_newest_rows(ledger: Ledger, clock: Clock) -> None:
    clock.now -= timedelta(minutes=4)
    assert ledger.reserve(asked(5)).at == "2026-11-25T12:00:00.000000+00:00"


def test_a_clock_that_is_far_behind_is_refused(ledger: Ledger, clock: Clock) -> None:
    clock.now -= timedelta(minutes=6)
    with pytest.raises(InputError, match=r"^ledger: clock: 2026-11-25T11:54.*; allowed: at most 0:05:00 behind it"):
        ledger.reserve(asked(5))


def test_without_a_clock_of_the_tests_it_is_now(url: str) -> None:
    ledger = Ledger.open(url, begin=True)
    ledger.set_cap(Scope.STUDENT, "ana", Decimal(20))
    at = datetime.fromisoformat(ledger.reserve(asked(5, expires=datetime(2999, 1, 1, tzinfo=UTC))).at)
    ledger.close()
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
