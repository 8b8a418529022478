"""Plan a whole class: its labs times its students, low, expected and high, against its budget.

Every student launches each lab on machines of their own, as often as the class says. A lab whose figure is not known
leaves the sum incomplete: what is known is summed, and never counts the rest as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clusterlab.assignment import Assignment
from clusterlab.class_budget import Budget
from clusterlab.config import Scale
from clusterlab.cost.total import Total
from clusterlab.errors import InputError, Problem
from clusterlab.plan import Estimate, LabPlan, dollars

FIGURES = ("low", "expected", "high")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One lab of a student."""

    plan: LabPlan
    estimate: Estimate
    runs: int

    def usd(self, figure: str) -> Decimal | None:
        """What a student spends on it: `low`, `expected` or `high`; None where that is not known."""
        usd: Decimal | None = getattr(self.estimate, figure).usd
        return None if usd is None else usd * self.runs


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassPlan:
    """The labs of a class, how many do them, and what they may spend."""

    num_students: int
    lines: tuple[Line, ...]
    budget: Budget
    largest_team: int = 0
    """How many students are in it; 0 where there are no teams."""

    def of_a_student(self, figure: str) -> Total:
        """`low`, `expected` or `high` of all labs."""
        return Total.of(line.usd(figure) for line in self.lines)

    def of_all(self, figure: str) -> Total:
        """The same of all students."""
        return self._of(self.num_students, figure)

    def of_a_team(self, figure: str) -> Total:
        """The same of the largest team."""
        return self._of(self.largest_team, figure)

    def _of(self, num_students: int, figure: str) -> Total:
        one = self.of_a_student(figure)
        return Total(usd=one.usd * num_students, num_unknown=one.num_unknown)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Which prices are not known."""
        return tuple(dict.fromkeys(reason for line in self.lines for reason in line.estimate.unknown))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of all labs."""
        return tuple(dict.fromkeys(warning for line in self.lines for warning in line.plan.warnings))

    def verdicts(self) -> dict[str, str]:
        """How a student, the largest team where teams have a budget, and the course stand to their budgets."""
        return {whose: _verdict(cap, total("expected"), total("high")) for whose, (cap, total) in self.sums().items()}

    def sums(self) -> dict[str, tuple[Decimal | None, Callable[[str], Total]]]:
        """Each budget, and what gives the sum that stands to it."""
        team = {"team": (self.budget.team_usd, self.of_a_team)} if self.largest_team and self.budget.team_usd else {}
        return {
            "student": (self.budget.student_usd, self.of_a_student),
            **team,
            "course": (self.budget.course_usd, self.of_all),
        }

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "num_students": self.num_students,
            "labs": [_line_json(line) for line in self.lines],
            **{whose: {each: total(each).as_json() for each in FIGURES} for whose, (_, total) in self.sums().items()},
            "budget_usd": {whose: _text(cap) for whose, (cap, _) in self.sums().items()},
            "budget": self.verdicts(),
            "incomplete": list(self.unknown),
            "warnings": list(self.warnings),
        }

    def render(self) -> Iterator[RenderableType]:
        """What a terminal shows: a student's labs, the sums against the budgets, and what is not known."""
        yield _labs_table(self)
        yield _sums_table(self)
        for reason in self.unknown:
            yield Text(f"incomplete: {reason}", style="yellow")
        for warning in self.warnings:
            yield Text(f"warning: {warning}", style="yellow")


def plan_class(
    plans: Iterable[LabPlan],
    assignments: Sequence[Assignment],
    *,
    num_students: int,
    budget: Budget,
    path: str,
    teams: Mapping[str, Sequence[str]] | None = None,
) -> ClassPlan:
    """Put the plans of labs together; `path` says where the assignments are written.

    Raises:
        InputError: a lab has nothing planned at the scale that is asked for.
    """
    lines, problems = [], []
    for plan, assignment in zip(plans, assignments, strict=True):
        scale = assignment.scale or Scale(plan.lab.envs["SCALE"])
        estimate = plan.at(scale)
        if estimate is None:
            allowed = ", ".join(plan.lab.scales)
            message = f"{plan.lab.name} has nothing planned at {scale}; allowed: {allowed}"
            problems.append(Problem(path=path, key=f"labs.{assignment.lab}.scale", message=message))
        else:
            lines.append(Line(plan=plan, estimate=estimate, runs=assignment.runs))
    if problems:
        raise InputError(problems)
    largest = max(map(len, (teams or {}).values()), default=0)
    return ClassPlan(num_students=num_students, lines=tuple(lines), budget=budget, largest_team=largest)


def _verdict(cap: Decimal | None, expected: Total, high: Total) -> str:
    """What is known may already exceed a budget; within it is only a sum that is complete."""
    if cap is None:
        return "no budget"
    if expected.usd > cap:
        return "expected exceeds"
    if high.usd > cap:
        return "high exceeds"
    return "within" if expected.complete and high.complete else "unknown"


def _line_json(line: Line) -> dict[str, Any]:
    usd = {f"{figure}_usd": _text(line.usd(figure)) for figure in FIGURES}
    return {"lab": line.plan.lab.name, "scale": line.estimate.scale, "runs": line.runs, **usd}


def _labs_table(of: ClassPlan) -> Table:
    table = _table("each student's labs, USD", "lab", "scale", "runs")
    for line in of.lines:
        amounts = (dollars(line.usd(figure)) for figure in FIGURES)
        table.add_row(line.plan.lab.name, line.estimate.scale, str(line.runs), *amounts)
    return table


def _sums_table(of: ClassPlan) -> Table:
    table = _table("in all, USD", "")
    for name in ("budget", "verdict"):
        table.add_column(name, justify="right" if name == "budget" else "left")
    verdicts = of.verdicts()
    names = {"student": "a student", "team": f"a team of {of.largest_team}", "course": f"{of.num_students} students"}
    for whose, (cap, total) in of.sums().items():
        style = {"within": "green", "expected exceeds": "red"}.get(verdicts[whose], "yellow")
        sums = (_sum(total(figure), len(of.lines)) for figure in FIGURES)
        table.add_row(names[whose], *sums, "none" if cap is None else dollars(cap), Text(verdicts[whose], style=style))
    return table


def _sum(total: Total, num_lines: int) -> str:
    """Of nothing that is known the sum is not 0."""
    return "unknown" if num_lines and total.num_unknown == num_lines else str(total)


def _table(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name == "runs" else "left")
    for name in FIGURES:
        table.add_column(name, justify="right")
    return table


def _text(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:.4f}"
