"""The matrix of a course: what each student held and used in each lab, to the cent so that all of it sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_cents
from clusterlab.cost.total import Total
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.statement import Use
from clusterlab.report.facts import Facts, Outcome
from clusterlab.report.outliers import Outlier, outliers

KEYS = ("student", "lab")
"""By what the matrix can be summed."""
COUNTS = ("num_runs", "num_uses", "num_passed", "num_failed", "num_other")
AMOUNTS = ("estimated_usd", "held_usd", "usd")
NOTHING = Total()
Owner = tuple[str | None, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Of one student in one lab, or of several, summed."""

    student: str | None = None
    """None of what is nobody's, and where it was summed over students."""
    lab: str | None = None
    num_runs: int = 0
    estimated_usd: Decimal = Decimal(0)
    """What was reserved for launches that happened, or may yet."""
    held_usd: Decimal = Decimal(0)
    """What counts against the budgets."""
    num_uses: int = 0
    """Intervals that were metered; 0 is not the same as a use that cost nothing."""
    metered: Total = NOTHING
    """To the micro-dollar."""
    usd: Decimal = Decimal(0)
    """The known part of it to the cent, rounded so that all cells sum to the rounded sum."""
    outlier: Outlier | None = None
    num_passed: int = 0
    num_failed: int = 0
    num_other: int = 0
    """Runs on record without a verdict."""

    @property
    def shown(self) -> str:
        """What was metered, for a person; empty where nothing was."""
        if not self.num_uses:
            return ""
        if self.metered.complete:
            return f"{self.usd:.2f}"
        return f"{self.usd:.2f} incomplete" if self.metered.usd else "unknown"

    @property
    def results(self) -> str:
        """How many of its runs passed and failed; empty where none is on record."""
        counts = ((self.num_passed, "PASS"), (self.num_failed, "FAIL"), (self.num_other, "other"))
        return ", ".join(f"{num} {name}" for num, name in counts if num)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "student": self.student,
            "lab": self.lab,
            "num_runs": self.num_runs,
            "estimated_usd": f"{self.estimated_usd:f}",
            "held_usd": f"{self.held_usd:f}",
            "metered": self.metered.as_json() if self.num_uses else None,
            "usd": f"{self.usd:.2f}" if self.num_uses else None,
            "outlier": self.outlier and self.outlier.as_json(),
            "num_passed": self.num_passed,
            "num_failed": self.num_failed,
            "num_other": self.num_other,
        }


def matrix(facts: Facts) -> tuple[Cell, ...]:
    """Each student x lab that has anything on record, by name; what is nobody's last."""
    uses: Mapping[Owner, Use] = {(each.student, each.lab): each for each in facts.uses}
    counts = _counts(facts.intervals)
    outcomes: dict[Owner, list[Outcome]] = defaultdict(list)
    for each in facts.outcomes:
        outcomes[each.student, each.lab].append(each)
    owners = sorted({*uses, *outcomes}, key=_order)
    metered = [uses[owner].used if owner in uses else NOTHING for owner in owners]
    cents = to_cents([each.usd for each in metered])
    cells = [
        Cell(
            student=owner[0],
            lab=owner[1],
            **_held(uses.get(owner)),
            num_uses=counts[owner],
            metered=total,
            usd=usd,
            **_verdicts(outcomes[owner]),
        )
        for owner, total, usd in zip(owners, metered, cents, strict=True)
    ]
    return marked(cells, "lab")


def summed(cells: Sequence[Cell], by: Sequence[str]) -> tuple[Cell, ...]:
    """The matrix by other keys; its cents are the sums of the cells', so that every table has the same total."""
    if tuple(by) in (KEYS, KEYS[::-1]):
        return tuple(sorted(cells, key=lambda each: _order(tuple(getattr(each, key) for key in by))))
    [key] = by
    ordered = sorted(cells, key=lambda each: _order((getattr(each, key),)))
    groups = groupby(ordered, key=attrgetter(key))
    lines = [total(list(of), **{key: name}) for name, of in groups]
    return marked(lines, "") if key == "student" else tuple(lines)


def total(cells: Iterable[Cell], *, student: str | None = None, lab: str | None = None) -> Cell:
    """All cells as one."""
    given = list(cells)
    sums: dict[str, Any] = {name: sum(map(attrgetter(name), given)) for name in COUNTS}
    sums |= {name: sum(map(attrgetter(name), given), Decimal(0)) for name in AMOUNTS}
    return Cell(student=student, lab=lab, **sums, metered=Total.together(each.metered for each in given))


def parse_by(text: str) -> tuple[str, ...]:
    """Read what `--by` says, such as `student,lab`.

    Raises:
        InputError: a key that is none, or one twice.
    """
    keys = tuple(part.strip() for part in text.split(","))
    if not set(keys) <= set(KEYS) or len(set(keys)) != len(keys):
        raise InputError(Problem(path="--by", message=f"{text!r}; allowed: student, lab, or both with a comma"))
    return keys


def marked(cells: Sequence[Cell], among: str) -> tuple[Cell, ...]:
    """The cells with the outliers among the students of each lab, or of all labs together, marked."""
    groups: dict[str | None, dict[str, Decimal]] = defaultdict(dict)
    for each in cells:
        if each.student is not None and each.num_uses:
            groups[getattr(each, among) if among else None][each.student] = each.metered.usd
    found = {name: outliers(usd) for name, usd in groups.items()}
    return tuple(_with(each, found.get(getattr(each, among) if among else None, {})) for each in cells)


def _with(cell: Cell, found: Mapping[str, Outlier]) -> Cell:
    outlier = found.get(cell.student) if cell.student is not None else None
    return cell if outlier is None else replace(cell, outlier=outlier)


def _held(use: Use | None) -> dict[str, Any]:
    if use is None:
        return {}
    return {"num_runs": use.num_runs, "estimated_usd": use.reserved_usd, "held_usd": use.held_usd}


def _verdicts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    verdicts = [each.verdict for each in outcomes]
    passed, failed = verdicts.count("PASS"), verdicts.count("FAIL")
    return {"num_passed": passed, "num_failed": failed, "num_other": len(verdicts) - passed - failed}


def _counts(intervals: Iterable[Interval]) -> dict[Owner, int]:
    counts: dict[Owner, int] = defaultdict(int)
    for each in intervals:
        counts[each.student, each.lab] += 1
    return counts


def _order(names: Sequence[str | None]) -> tuple[tuple[bool, str], ...]:
    """By name, what has none last."""
    return tuple((name is None, name or "") for name in names)
