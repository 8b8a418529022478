"""What a report says of a course's money and results, as pure data: the terminal, the page and the JSON show this."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import CURRENCY, to_cents, to_micro
from clusterlab.cost.total import Total
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.report.burn import Burn
from clusterlab.report.facts import Facts
from clusterlab.report.leases import OpenUse, open_uses
from clusterlab.report.matrix import Cell, matrix, summed, total
from clusterlab.report.outliers import RULE


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one kind of resource cost."""

    kind: str
    metered: Total
    usd: Decimal
    """To the cent; all kinds sum to what all cells do."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": self.kind, "metered": self.metered.as_json(), "usd": f"{self.usd:.2f}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """All that is shown."""

    facts: Facts
    cells: tuple[Cell, ...]
    """By student and lab."""
    kinds: tuple[Part, ...]
    """The dearest first."""
    burn: Burn
    open: tuple[OpenUse, ...]

    @classmethod
    def of(cls, facts: Facts, *, until: date | None = None) -> Summary:
        """Sum up what was found; `until` is the course's last day."""
        course = next(
            (each for each in facts.budgets if each.scope is Scope.COURSE and each.name == facts.course), None
        )
        return cls(
            facts=facts,
            cells=matrix(facts),
            kinds=_kinds(facts.intervals, facts.at),
            burn=Burn.of(facts.intervals, facts.at, cap_usd=course.cap_usd if course else None, until=until),
            open=open_uses(facts.intervals, facts.leases, facts.at),
        )

    @property
    def total(self) -> Cell:
        """The whole course."""
        return total(self.cells)

    @property
    def budgets(self) -> list[Budget]:
        """The course's budget, then those of teams and students of which somebody set one, the fullest first."""
        names = {each.student for each in self.cells}
        of_course = [
            each for each in self.facts.budgets if each.scope is Scope.COURSE and each.name == self.facts.course
        ]
        capped = [
            each
            for each in self.facts.budgets
            if each.cap_usd is not None
            and (each.scope is Scope.TEAM or (each.scope is Scope.STUDENT and each.name in names))
        ]
        return of_course + sorted(capped, key=lambda each: (-_fullness(each), each.scope, each.name))

    @property
    def outliers(self) -> list[Cell]:
        """The cells, then the students over all labs, that are far above the others."""
        several = len({each.lab for each in self.cells if each.student is not None}) > 1
        return [each for each in (*self.cells, *(self.by(("student",)) if several else ())) if each.outlier]

    @property
    def leaks(self) -> list[OpenUse]:
        """What is in use though it should not be."""
        return [each for each in self.open if each.leak]

    def by(self, keys: Sequence[str]) -> tuple[Cell, ...]:
        """The cells by student, by lab, or by both."""
        return summed(self.cells, keys)

    def as_json(self, keys: Sequence[str]) -> dict[str, Any]:
        """As JSON values, dollars as texts, with the cells by these keys."""
        facts = self.facts
        return {
            "course": facts.course,
            "at": facts.at.isoformat(),
            "currency": CURRENCY,
            "anonymous": facts.anonymous,
            "by": list(keys),
            "rows": [each.as_json() for each in self.by(keys)],
            "total": self.total.as_json(),
            "outliers": {"rule": RULE, "cells": [each.as_json() for each in self.outliers]},
            "kinds": [each.as_json() for each in self.kinds],
            "budgets": [each.as_json() for each in self.budgets],
            "days": [{"day": day.isoformat(), "metered": used.as_json()} for day, used in self.burn.days],
            "forecast": self.burn.forecast and self.burn.forecast.as_json(),
            "open": [each.as_json() for each in self.open],
            "bill": facts.bill and facts.bill.as_json(),
            "sweep": _sweep_json(facts),
            "problems": list(facts.problems),
        }


def _kinds(intervals: Iterable[Interval], now: datetime) -> tuple[Part, ...]:
    usd: dict[str, Decimal] = defaultdict(Decimal)
    unknown: dict[str, int] = defaultdict(int)
    for each in intervals:
        cost = each.usd(now)
        usd[each.kind] += Decimal(0) if cost is None else to_micro(cost)
        unknown[each.kind] += cost is None
    totals = {kind: Total(usd=usd[kind], num_unknown=unknown[kind]) for kind in usd}
    order = sorted(totals, key=lambda kind: (-totals[kind].usd, kind))
    cents = to_cents([totals[kind].usd for kind in order])
    return tuple(
        Part(kind=str(kind), metered=totals[kind], usd=amount) for kind, amount in zip(order, cents, strict=True)
    )


def _fullness(of: Budget) -> Decimal:
    """Which part of it is held."""
    if of.cap_usd is None:
        return Decimal(0)
    return of.held_usd / of.cap_usd if of.cap_usd else Decimal("Infinity")


def _sweep_json(facts: Facts) -> dict[str, Any] | None:
    if facts.sweep is None:
        return None
    sweep = facts.sweep
    return {
        "ended": sweep.ended.isoformat() if sweep.ended else None,
        "proven": sweep.proven,
        "num_not_scanned": sweep.num_not_scanned,
        "left": [
            {
                "kind": each.kind,
                "id": each.id,
                "region": each.region,
                "shape": each.shape,
                "student": each.student,
                "lab": each.lab,
                "lease_until": each.lease_until.isoformat(),
                "step": each.step,
            }
            for each in sweep.findings
            if each.left
        ],
    }
