from __future__ import annotations

import io
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clusterlab.cost.interval import Interval, Kind
from clusterlab.cost.money import CENT
from clusterlab.errors import InputError
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.report.facts import Facts
from clusterlab.report.matrix import KEYS, parse_by
from clusterlab.report.summary import Summary
from clusterlab.report.table import MOST_ROWS, render
from tests.clusterlab.report.courses import NOON, course, facts_of, outcome, use

GROUPINGS: list[tuple[str, ...]] = [KEYS, KEYS[::-1], ("student",), ("lab",)]
NOBODY: dict[str, Any] = {"student": None, "team": None, "course": None, "lab": None, "run": None}
names = st.sampled_from(["ana", "bo", "cy", None])


@st.composite
def uses(draw: st.DrawFn) -> Interval:
    student, lab = draw(names), draw(st.sampled_from(["qlora", "zero"]))
    owner: dict[str, Any] = NOBODY if student is None else {"student": student, "lab": lab}
    price = draw(st.one_of(st.none(), st.decimals(0, 5, places=6)))
    return use(draw(st.integers(0, 10**9)), price, kind=draw(st.sampled_from(Kind)), **owner)


@given(st.lists(uses(), max_size=15))
def test_every_grouping_sums_to_the_same_total_to_the_cent(of: list[Interval]) -> None:
    summary = Summary.of(facts_of(of))
    exact = summary.burn.used
    cents = exact.usd.quantize(CENT, ROUND_HALF_UP)
    for keys in GROUPINGS:
        rows = summary.by(keys)
        assert sum((each.usd for each in rows), Decimal(0)) == cents
        assert sum((each.metered.usd for each in rows), Decimal(0)) == exact.usd
        assert sum(each.metered.num_unknown for each in rows) == exact.num_unknown
    assert sum((each.usd for each in summary.kinds), Decimal(0)) == cents
    assert (summary.total.usd, summary.total.metered) == (cents, exact)


def test_a_price_that_is_not_known_is_never_nothing() -> None:
    shown = {
        each.lab: each.shown for each in Summary.of(facts_of([use(1, 2), use(2, None), use(3, None, lab="zero")])).cells
    }
    assert shown == {"qlora": "2.00 incomplete", "zero": "unknown"}


def test_what_was_reserved_and_not_metered_shows_no_amount() -> None:
    facts = facts_of([use()])
    unmetered = facts_of([]).uses + facts.uses
    [cell] = Summary.of(Facts(at=NOON, course="llm-2026", uses=unmetered)).cells
    assert [cell.shown, cell.as_json()["metered"], cell.estimated_usd] == ["", None, 2]


def test_what_is_nobodys_comes_last_and_counts() -> None:
    summary = Summary.of(facts_of([use(1, 5, **NOBODY), use(2, 1)]))
    assert [(each.student, each.shown) for each in summary.by(("student",))] == [("ana", "1.00"), (None, "5.00")]
    assert summary.total.shown == "6.00"


def test_outliers_are_marked_in_their_lab_and_over_all_labs() -> None:
    summary = Summary.of(course([f"s{number:02}" for number in range(8)], ["qlora", "zero", "rag"]))
    assert [(each.student, each.lab) for each in summary.outliers] == [("s00", "qlora"), ("s00", None)]


def test_the_same_outlier_of_the_only_lab_is_told_once() -> None:
    summary = Summary.of(course([f"s{number:02}" for number in range(8)], ["qlora"]))
    assert [(each.student, each.lab) for each in summary.outliers] == [("s00", "qlora")]


def test_results_are_counted_with_what_they_cost() -> None:
    runs = [outcome("ana", "qlora", number) for number in range(5)] + [outcome("ana", "qlora", 9, verdict="")]
    [cell] = Summary.of(facts_of([use()], outcomes=tuple(runs))).cells
    assert cell.results == "4 PASS, 1 FAIL, 1 other"


def test_a_run_of_somebody_who_has_nothing_on_the_ledger_is_there_too() -> None:
    found = Summary.of(facts_of([use()], outcomes=(outcome("zoe", "rag", 0),))).cells
    assert [(each.student, each.lab, each.shown) for each in found] == [("ana", "qlora", "1.00"), ("zoe", "rag", "")]


def test_leaks_are_what_is_over_its_lease_or_nobodys() -> None:
    hour = timedelta(hours=1)
    leases = {"r1": NOON - hour, "r2": NOON + hour, "r5": NOON}
    open_ = [use(number, 1, end=None) for number in (1, 2, 3, 5)] + [use(4, 9, end=None, **NOBODY), use(6)]
    summary = Summary.of(facts_of(open_, leases=leases))
    assert [(each.interval.resource_id, each.state, each.leak) for each in summary.open] == [
        ("i-4", "nobody's", True),
        ("i-1", "over its lease", True),
        ("i-5", "over its lease", True),
        ("i-3", "no lease on record", False),
        ("i-2", "in its lease", False),
    ]
    assert len(summary.leaks) == 3


def test_what_leaks_at_an_unknown_price_comes_before_what_is_cheap() -> None:
    leaks = Summary.of(facts_of([use(1, 1, end=None, **NOBODY), use(2, None, end=None, **NOBODY)])).leaks
    assert [each.as_json()["usd"] for each in leaks] == [None, "1.000000"]


def test_budgets_are_the_courses_own_first_then_the_fullest() -> None:
    def budget(scope: Scope, name: str, cap: int | None, held: int) -> Budget:
        return Budget(scope=scope, name=name, cap_usd=None if cap is None else Decimal(cap), held_usd=Decimal(held))

    given_ = (
        budget(Scope.STUDENT, "ana", 10, 9),
        budget(Scope.STUDENT, "bo", 10, 1),
        budget(Scope.STUDENT, "elsewhere", 10, 10),
        budget(Scope.STUDENT, "cy", None, 5),
        budget(Scope.TEAM, "red", 0, 1),
        budget(Scope.COURSE, "llm-2026", 100, 10),
        budget(Scope.COURSE, "rl-2026", 100, 99),
    )
    facts = facts_of([use(1), use(2, student="bo"), use(3, student="cy")], budgets=given_)
    assert [each.name for each in Summary.of(facts).budgets] == ["llm-2026", "red", "ana", "bo"]


def test_an_empty_course_has_a_report() -> None:
    document = Summary.of(Facts(at=NOON, course=None)).as_json(KEYS)
    assert (document["rows"], document["forecast"], document["open"]) == ([], None, [])


@pytest.mark.parametrize("text", ["", "team", "student,student", "student;lab", "Student"])
def test_what_cannot_be_grouped_by_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--by: .*; allowed: student, lab, or both"):
        parse_by(text)


def test_both_orders_of_keys_are_taken() -> None:
    assert parse_by("lab, student") == ("lab", "student")


def test_a_terminal_shows_as_many_rows_as_one_reads_and_says_how_many_more_there_are() -> None:
    summary = Summary.of(course([f"s{number}" for number in range(MOST_ROWS + 3)], ["qlora"]))
    console = Console(width=200, record=True, file=io.StringIO())
    for part in render(summary, KEYS):
        console.print(part)
    lines = [line.split() for line in console.export_text().splitlines()]
    more = len(summary.by(KEYS)) - MOST_ROWS
    assert [str(more), "more", "rows;"] in [line[:3] for line in lines]
    assert sum(line[1:2] == ["qlora"] for line in lines) == MOST_ROWS
    assert ["all", str(summary.total.num_runs)] in [line[:2] for line in lines]
