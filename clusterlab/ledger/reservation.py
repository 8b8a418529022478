"""A reservation: what a launch may cost at most, held for its student, team and course before anything is launched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from clusterlab.cost.money import checked_usd
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.budget import Budget, BudgetError, Scope
from clusterlab.ledger.entry import Owner
from clusterlab.tags import LABEL, LABEL_RULE


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """What is asked for.

    Raises:
        InputError: a name that is no label, an amount below 0 or finer than a micro-dollar, an instant that is not UTC.
    """

    student: str
    team: str | None
    course: str
    lab: str
    run: str
    usd: Decimal
    expires: datetime
    """Until when it holds, where the run is not committed."""

    def __post_init__(self) -> None:
        names = {key: getattr(self, key) for key in ("student", "team", "course", "lab", "run")}
        problems = [
            Problem(path="reservation", key=key, message=f"{name!r} is not a label; {LABEL_RULE}")
            for key, name in names.items()
            if (name is None and key != "team") or (name is not None and not LABEL.fullmatch(name))
        ]
        if self.expires.utcoffset() != timedelta():
            message = f"{self.expires.isoformat()}; allowed: an instant in UTC that says so"
            problems.append(Problem(path="reservation", key="expires", message=message))
        if problems:
            raise InputError(problems)
        checked_usd(self.usd, path="reservation", key="usd")

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(student=self.student, team=self.team, course=self.course, lab=self.lab, run=self.run)


def check_open(budgets: list[Budget]) -> None:
    """Refuse whatever a course asks for that may hold nothing, also what it holds already: it is over.

    Raises:
        BudgetError: its cap is 0.
    """
    for each in budgets:
        if each.scope is Scope.COURSE and each.cap_usd == 0:
            opens = f"`clusterlab budget set --course {each.name} --usd ...` opens it again"
            raise BudgetError(f"course {each.name}: closed, nothing more is launched; {opens}")


def check_covered(budgets: list[Budget], asked: Reservation) -> None:
    """Refuse what does not fit under every cap; all caps that it does not fit under in one go.

    Raises:
        BudgetError: there is such a cap, or there is none at all.
    """
    path = f"budget of {asked.student}"
    if all(budget.cap_usd is None for budget in budgets):
        raise BudgetError(f"{path}: nobody set one; `clusterlab budget set --student {asked.student} --usd 20` does")
    short = [each for each in budgets if each.free_usd is not None and each.free_usd < asked.usd]
    if short:
        told = (
            f"{each.scope} {each.name}: {asked.usd:.2f} USD asked, {each.free_usd:.2f} of {each.cap_usd:.2f} free"
            for each in short
        )
        raise BudgetError("\n".join(told))
