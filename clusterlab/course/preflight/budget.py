"""Whether the budget covers what the class's plan expects, and whether the ledger that keeps it has the same caps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

from clusterlab.cost.class_plan import ClassPlan, plan_class
from clusterlab.course.preflight.check import Check, failed, not_asked, passed, warned
from clusterlab.course.preflight.subject import Subject
from clusterlab.errors import ClusterlabError, MissingError
from clusterlab.ledger.location import VARIABLE, named, open_ledger
from clusterlab.plan import dollars, plan

NAME, LEDGER = "budget", "ledger"
SHOWN = 3
"""Of a long list of names."""
Caps = dict[tuple[str, str], Decimal | None]
"""By scope and name."""


def look(subject: Subject) -> Iterator[Check]:
    """A student's and the course's plan against their budgets, and these against the ledger."""
    if subject.students is None:
        yield not_asked(NAME, "nobody knows how many take part", "mend the roster")
        return
    plans = [plan(work.lab, subject.catalog, today=subject.today) for work in subject.works]
    cluster, number = subject.cluster, len(subject.students)
    budget, path, teams = cluster.budget, str(cluster.path), cluster.teams
    made = plan_class(plans, cluster.labs, num_students=number, budget=budget, path=path, teams=teams)
    for whose in made.sums():
        yield _covers(subject, made, whose)
    yield _in_the_ledger(subject, subject.students)


def _covers(subject: Subject, made: ClassPlan, whose: str) -> Check:
    """What is not known is never covered."""
    cap, total = made.sums()[whose]
    expected, high, verdict = total("expected"), total("high"), made.verdicts()[whose]
    shown = "none set" if cap is None else f"{dollars(cap)} USD"
    seen = f"{whose}: {shown}; the plan expects {expected}, at most {high}"
    todo = f"set `budget_usd.{whose}` in {subject.cluster.path}, or ask less: fewer runs, a smaller scale"
    if cap is None:
        return warned(NAME, seen, todo) if whose == "student" else failed(NAME, seen, todo)
    if verdict == "expected exceeds":
        return failed(NAME, seen, todo)
    if not expected.complete:
        told = f"{seen} ({'; '.join(made.unknown)})"
        return failed(NAME, told, "nobody can say whether it is covered: `clusterlab catalog update` reads prices")
    return passed(NAME, seen) if verdict == "within" else warned(NAME, seen, todo)


def _in_the_ledger(subject: Subject, students: tuple[str, ...]) -> Check:
    """Without a ledger nobody keeps a budget; with other caps it keeps another."""
    if named() is None:
        return not_asked(
            LEDGER, f"{VARIABLE} is not set, so no launch from here is held to a budget", f"set {VARIABLE}"
        )
    try:
        with closing(open_ledger()) as ledger:
            caps: Caps = {(each.scope.value, each.name): each.cap_usd for each in ledger.budgets()}
    except MissingError as error:
        return not_asked(LEDGER, str(error), "install it")
    except ClusterlabError as error:
        return failed(LEDGER, str(error), "have it answer: launches are refused without it; `budget set` begins one")
    cluster = subject.cluster
    wanted = cluster.budget.caps(cluster.course, cluster.teams, students)
    wrong = [(key, usd) for key, usd in wanted.items() if caps.get(key) != usd]
    if wrong:
        return failed(LEDGER, _listed([_told(*key, usd, caps.get(key)) for key, usd in wrong]), _commands(wrong))
    strangers = sorted(n for (scope, n), usd in caps.items() if scope == "student" and usd and n not in students)
    if strangers:
        return warned(LEDGER, f"not in the roster, and with a cap: {_listed(strangers)}", "see that nobody is missing")
    return passed(LEDGER, f"answers; {len(wanted)} caps are those of the file")


def _told(scope: str, name: str, usd: Decimal, has: Decimal | None) -> str:
    return f"{scope} {name}: {'no cap' if has is None else dollars(has)}, in the file {dollars(usd)}"


def _commands(wrong: list[tuple[tuple[str, str], Decimal]]) -> str:
    """The first of them; the others read alike."""
    (scope, name), usd = wrong[0]
    more = f", and so on for {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"`clusterlab budget set --{scope} {name} --usd {usd.normalize():f}`{more}"


def _listed(texts: list[str]) -> str:
    more = f"; {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more
