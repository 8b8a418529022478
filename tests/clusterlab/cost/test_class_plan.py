from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from clusterlab.assignment import Assignment
from clusterlab.class_budget import Budget
from clusterlab.cli import app
from clusterlab.config import Scale
from clusterlab.cost.class_plan import FIGURES, ClassPlan, plan_class
from clusterlab.errors import InputError
from clusterlab.plan import LabPlan, plan
from tests.clusterlab.conftest import CLASS
from tests.clusterlab.test_plan import CHEAP, TODAY, catalog, lab, row

NOBODY_SAID = Budget(course_usd=None, student_usd=None)
TOY = "roster: [ana, ben, eva]\nlabs: {toy: {runs: 2}}\nbudget_usd: {course: 100, student: 30}\n"


def planned(usd: str | None = "1", *, scale: str = "single") -> LabPlan:
    """A lab of 1, 2 and 4 hours on one machine, with half an hour until it ends, and 2 GB of egress at 0.5."""
    of = dataclasses.replace(lab(L4=1), envs={"SCALE": scale})
    return plan(of, catalog(row("m", usd), disk="0"), today=TODAY)


def class_plan(*plans: LabPlan, runs: int = 1, students: int = 10, budget: Budget = NOBODY_SAID) -> ClassPlan:
    assignments = [Assignment(lab=each.lab.name, scale=None, runs=runs) for each in plans]
    return plan_class(plans, assignments, num_students=students, budget=budget, path="class")


def test_a_class_spends_its_labs_times_their_runs_times_its_students() -> None:
    found = class_plan(planned(), planned("2"), runs=3)
    assert [line.usd("expected") for line in found.lines] == [Decimal("10.5"), Decimal(18)]
    assert found.of_a_student("expected").usd == Decimal("28.5")
    assert [found.of_all(figure).usd for figure in FIGURES] == [Decimal(195), Decimal(285), Decimal(465)]


def test_a_lab_is_planned_at_the_scale_of_its_file_unless_the_class_says_another() -> None:
    assert class_plan(planned(scale="tiny")).of_all("high").usd == 0
    tiny = Assignment(lab="x", scale=Scale.TINY, runs=1)
    found = plan_class([planned()], [tiny], num_students=3, budget=NOBODY_SAID, path="class")
    assert [line.estimate.scale for line in found.lines] == [Scale.TINY]


def test_a_scale_that_a_lab_does_not_plan_is_named() -> None:
    full = Assignment(lab="x", scale=Scale.FULL, runs=1)
    with pytest.raises(InputError, match=r"^class: labs.x.scale: x has nothing planned at full; allowed: tiny"):
        plan_class([planned()], [full], num_students=3, budget=NOBODY_SAID, path="class")


def test_an_unknown_lab_leaves_the_sum_incomplete_and_is_never_nothing() -> None:
    found = class_plan(planned(), planned(None))
    total = found.of_all("expected")
    assert (total.usd, total.complete, str(total)) == (Decimal(35), False, "35.00 incomplete")
    assert found.unknown == ("aws m in here: the price of an hour on demand is not known",)
    assert found.as_json()["course"]["expected"] == {"usd": "35.000000", "num_unknown": 1, "complete": False}


def test_a_class_of_which_nothing_is_known_costs_unknown() -> None:
    console = Console(width=100)
    with console.capture() as capture:
        for part in class_plan(planned(None)).render():
            console.print(part)
    [line] = [line for line in capture.get().splitlines() if "10 students" in line]
    assert line.split() == ["10", "students", "unknown", "unknown", "unknown", "none", "no", "budget"]


BUDGETS = {"34": "expected exceeds", "35": "high exceeds", "54.99": "high exceeds", "55": "within"}


@pytest.mark.parametrize(("usd", "verdict"), BUDGETS.items())
def test_the_class_stands_to_its_budget(usd: str, verdict: str) -> None:
    budget = Budget(course_usd=Decimal(usd), student_usd=None)
    assert class_plan(planned(), budget=budget).verdicts() == {"student": "no budget", "course": verdict}


def test_what_is_known_may_exceed_a_budget_but_only_a_complete_sum_is_within() -> None:
    def verdict(usd: int) -> str:
        budget = Budget(course_usd=Decimal(usd), student_usd=None)
        return class_plan(planned(), planned(None), budget=budget).verdicts()["course"]

    assert (verdict(30), verdict(1000)) == ("expected exceeds", "unknown")


def test_a_student_stands_to_a_budget_too() -> None:
    budget = Budget(course_usd=None, student_usd=Decimal(3))
    assert class_plan(planned(), budget=budget).verdicts()["student"] == "expected exceeds"


def test_the_largest_team_stands_to_the_budget_of_a_team() -> None:
    budget = Budget(course_usd=None, student_usd=None, team_usd=Decimal(7))
    toy = Assignment(lab="x", scale=None, runs=1)
    teams = {"red": ["ana"], "blue": ["ben", "eva"]}
    found = plan_class([planned()], [toy], num_students=3, budget=budget, path="class", teams=teams)
    assert found.of_a_team("expected").usd == found.of_a_student("expected").usd * 2 == Decimal(7)
    assert found.verdicts() == {"student": "no budget", "team": "high exceeds", "course": "no budget"}
    assert found.as_json()["budget_usd"] == {"student": None, "team": "7.0000", "course": None}
    console = Console(width=100)
    with console.capture() as capture:
        for part in found.render():
            console.print(part)
    assert "a team of 2" in capture.get()


def test_old_prices_are_warned_of_once() -> None:
    old = dataclasses.replace(CHEAP, as_of=TODAY.replace(year=2025))
    plans = [plan(dataclasses.replace(lab(L4=1), envs={"SCALE": "single"}), catalog(old), today=TODAY)] * 2
    [warning] = class_plan(*plans).warnings
    assert "aws cheap in here (365 days)" in warning


@given(
    prices=st.lists(st.one_of(st.none(), st.decimals("0", "100", places=4)), min_size=1, max_size=4),
    students=st.integers(1, 500),
    runs=st.integers(0, 5),
)
def test_the_sum_is_that_of_its_lines(prices: list[Decimal | None], students: int, runs: int) -> None:
    plans = [planned(None if usd is None else str(usd)) for usd in prices]
    found = class_plan(*plans, students=students, runs=runs)
    for figure in FIGURES:
        known = [usd for line in found.lines if (usd := line.usd(figure)) is not None]
        total = found.of_all(figure)
        assert (total.usd, total.num_unknown) == (sum(known, Decimal(0)) * students, len(prices) - len(known))


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["plan", *arguments], env={"COLUMNS": "100"})
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def file(house: Path) -> Path:
    path = house / "clusters" / "llm-2026.yaml"
    path.write_text(CLASS + TOY)
    return path


def test_the_command_plans_a_class_by_its_file(file: Path) -> None:
    code, out, err = run("--class", str(file), "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)["class"]
    assert (document["num_students"], document["budget_usd"]) == (3, {"student": "30.0000", "course": "100.0000"})
    [of_toy] = document["labs"]
    one = json.loads(run("labs/toy.yaml", "--json")[1])["plans"][0]["estimates"][2]["expected"]["usd"]
    assert (of_toy["runs"], Decimal(of_toy["expected_usd"])) == (2, Decimal(one) * 2)
    # Figures have four digits, sums have six.
    assert Decimal(document["course"]["expected"]["usd"]).quantize(Decimal("0.001")) == Decimal("10.102")
    assert abs(Decimal(one) * 6 - Decimal("10.102")) < Decimal("0.001")
    assert "3 students" in run("--class", str(file))[1]
    assert "60 students" in run("--class", str(file), "--students", "60")[1]


@pytest.mark.usefixtures("file")
def test_the_command_plans_labs_for_so_many_students() -> None:
    code, out, _ = run("labs/toy.yaml", "--students", "40", "--json")
    document = json.loads(out)["class"]
    assert (code, document["num_students"], document["budget"]["course"]) == (0, 40, "no budget")


def test_a_class_elsewhere_has_the_prices_of_there(file: Path) -> None:
    _, out, _ = run("--class", str(file), "--infra", "runpod", "--json")
    assert json.loads(out)["class"]["incomplete"] == [
        "L4:1: the catalog has no such machine",
        "A10G:1: the catalog has no such machine",
    ]


FAULTS = {
    "labs too": (("labs/toy.yaml",), "", "--class: has its own labs; allowed: --class, or labs"),
    "no lab": ((), "roster: 3\nlabs: {toi: }\n", "labs/toi.yaml: no such lab; did you mean labs/toy.yaml?"),
    "no labs": ((), "roster: 3\n", "clusters/llm-2026.yaml: labs: missing; allowed: labs by name"),
    "no roster": ((), "labs: {toy: }\n", "clusters/llm-2026.yaml: roster: missing; allowed: a number"),
    "infra": (("--infra", "moon"), TOY, "--infra: moon: not in the catalog; allowed: aws/us-east-1, "),
}


@pytest.mark.parametrize(("arguments", "text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_what_is_wrong_with_a_class_is_one_error(
    file: Path, arguments: tuple[str, ...], text: str, message: str
) -> None:
    file.write_text(CLASS + text)
    code, _, err = run("--class", str(file), *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
