from __future__ import annotations

import dataclasses
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import Catalog
from clusterlab.course.preflight.budget import LEDGER, look
from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.course.preflight.subject import Subject
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.course.preflight.conftest import Make, one, told


def of(subject: Subject, whose: str) -> Check:
    [found] = [check for check in look(subject) if check.seen.startswith(f"{whose}:")]
    return found


# A student's toy is expected at 1.86 USD and 4.42 at most; the course has three students.
BUDGETS = {("student", 1): "FAIL", ("student", 2): "WARN", ("student", 5): "PASS"} | {
    ("course", 5): "FAIL",
    ("course", 6): "WARN",
    ("course", 14): "PASS",
}


@pytest.mark.parametrize(("cap", "verdict"), BUDGETS.items(), ids=str)
def test_a_budget_covers_what_the_plan_expects(make: Make, cap: tuple[str, int], verdict: str) -> None:
    whose, usd = cap
    check = of(make(budget_usd={"course": 1000, "student": 100} | {whose: usd}), whose)
    assert check.verdict == verdict
    assert f"{whose}: {usd}.00 USD; the plan expects " in check.seen


def test_no_budget_of_the_course_fails_and_none_of_a_student_warns(make: Make) -> None:
    subject = make(budget_usd=None)
    assert (of(subject, "course").verdict, of(subject, "student").verdict) == (Verdict.FAIL, Verdict.WARN)


def test_an_unknown_price_is_never_covered(make: Make) -> None:
    subject = make()
    rows = tuple(dataclasses.replace(row, on_demand_usd=None) for row in subject.catalog.rows if row.cloud == "aws")
    unknown = Catalog(rows=(subject.catalog.local(), *rows))
    for whose in ("student", "course"):
        check = of(dataclasses.replace(subject, catalog=unknown), whose)
        assert check.verdict is Verdict.FAIL
        assert "the price of an hour on demand is not known" in check.seen


def test_without_a_roster_nothing_is_summed(make: Make) -> None:
    assert told(look(make(roster=None))) == [("budget", "WARN")]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.db"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{path}")
    return path


def caps(path: Path, **given: int) -> None:
    with closing(Ledger.open(f"sqlite:///{path}", begin=True)) as ledger:
        for name, usd in given.items():
            scope = Scope.COURSE if name == "course" else Scope.STUDENT
            ledger.set_cap(scope, "llm-2026" if name == "course" else name, Decimal(usd))


def test_no_ledger_is_said_to_hold_nobody_to_a_budget(make: Make) -> None:
    check = one(look(make()), LEDGER)
    assert (check.verdict, "CLUSTERLAB_LEDGER is not set" in check.seen) == (Verdict.WARN, True)


def test_a_ledger_with_the_caps_of_the_file_passes(make: Make, ledger: Path) -> None:
    caps(ledger, course=1000, ana=100, ben=100, eva=100)
    check = one(look(make()), LEDGER)
    assert (check.verdict, check.seen) == (Verdict.PASS, "answers; 4 caps are those of the file")


def test_each_team_has_the_cap_of_the_file(make: Make, ledger: Path) -> None:
    caps(ledger, ana=100, ben=100, eva=100)
    usd = {"student": 100, "team": 150, "course": 1000}
    with closing(Ledger.open(f"sqlite:///{ledger}")) as opened:
        opened.set_cap(Scope.COURSE, "llm-2026", Decimal(1000))
        opened.set_cap(Scope.TEAM, "red", Decimal(150))
    check = one(look(make(budget_usd=usd, teams={"red": ["ana"], "blue": ["ben", "eva"]})), LEDGER)
    assert (check.verdict, check.seen) == (Verdict.FAIL, "team blue: no cap, in the file 150.00")
    assert check.todo == "`clusterlab budget set --team blue --usd 150`"


def test_the_budget_of_a_team_covers_its_students(make: Make) -> None:
    teams = {"red": ["ana"], "blue": ["ben", "eva"]}
    for usd, verdict in {3: Verdict.FAIL, 4: Verdict.WARN, 9: Verdict.PASS}.items():
        subject = make(budget_usd={"course": 1000, "student": 100, "team": usd}, teams=teams)
        assert of(subject, "team").verdict is verdict


def test_another_cap_fails_with_the_command_that_sets_it(make: Make, ledger: Path) -> None:
    caps(ledger, course=1000, ana=100, ben=50)
    check = one(look(make()), LEDGER)
    assert check.verdict is Verdict.FAIL
    assert check.seen == "student ben: 50.00, in the file 100.00; student eva: no cap, in the file 100.00"
    assert check.todo == "`clusterlab budget set --student ben --usd 100`, and so on for 1 more"


def test_a_cap_of_somebody_who_takes_no_part_is_told(make: Make, ledger: Path) -> None:
    caps(ledger, course=1000, ana=100, ben=100, eva=100, zoe=100)
    check = one(look(make()), LEDGER)
    assert (check.verdict, check.seen) == (Verdict.WARN, "not in the roster, and with a cap: zoe")


def test_a_ledger_that_is_not_there_fails(make: Make, ledger: Path) -> None:
    assert not ledger.exists()
    assert one(look(make()), LEDGER).verdict is Verdict.FAIL


def test_a_ledger_that_does_not_answer_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEDGER", "postgresql://127.0.0.1:9/ledger")
    assert one(look(make()), LEDGER).verdict is Verdict.FAIL
