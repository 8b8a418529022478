"""The last table of a course: each student x lab, and what is nobody's, planned, metered and billed side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_cents
from clusterlab.cost.total import Total
from clusterlab.report import comparison
from clusterlab.report.summary import Summary

NOBODY = "nobody"
COLUMNS = ("student", "lab", "planned_usd", "metered_usd", "metered_complete", "billed_usd")
ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row, to the cent; the rows of each column sum to its total."""

    student: str
    lab: str
    planned_usd: Decimal
    """What its launches reserved."""
    metered_usd: Decimal
    """The known part."""
    complete: bool
    """Whether every price of it was known."""
    billed_usd: Decimal

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return dict(zip(COLUMNS, self.cells(), strict=True)) | {"metered_complete": self.complete}

    def cells(self) -> tuple[str, ...]:
        """As texts, in the order of the columns."""
        amounts = f"{self.planned_usd:.2f}", f"{self.metered_usd:.2f}", f"{self.billed_usd:.2f}"
        return self.student, self.lab, amounts[0], amounts[1], str(self.complete).lower(), amounts[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """All rows, those of nobody last."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, summary: Summary) -> Sheet:
        """Of a course whose bill came."""
        lines = list(_lines(summary))
        planned = to_cents([each.planned_usd for each in lines])
        metered = to_cents([each.metered_usd for each in lines])
        return cls(
            lines=tuple(
                Line(
                    student=each.student,
                    lab=each.lab,
                    planned_usd=planned_usd,
                    metered_usd=metered_usd,
                    complete=each.complete,
                    billed_usd=each.billed_usd,
                )
                for each, planned_usd, metered_usd in zip(lines, planned, metered, strict=True)
            )
        )

    @property
    def total(self) -> Line:
        """The sum of all rows: its bill is the bill."""
        return Line(
            student="total",
            lab="",
            planned_usd=sum((each.planned_usd for each in self.lines), ZERO),
            metered_usd=sum((each.metered_usd for each in self.lines), ZERO),
            complete=all(each.complete for each in self.lines),
            billed_usd=sum((each.billed_usd for each in self.lines), ZERO),
        )

    def text(self) -> str:
        """As CSV, the total last; equal ledgers and bills make equal letters."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(each.cells() for each in (*self.lines, self.total))
        return out.getvalue()


def _lines(summary: Summary) -> Iterator[Line]:
    """Not rounded yet, but for the bill, whose cents the reconciliation shares out."""
    facts = summary.facts
    for row in comparison.compare(summary):
        yield Line(
            student=row.student or NOBODY,
            lab=row.lab or "",
            planned_usd=row.estimated_usd or ZERO,
            metered_usd=row.metered.usd,
            complete=row.metered.complete,
            billed_usd=row.billed_usd or ZERO,
        )
    metered = _metered([each for each in facts.intervals if each.student is None], summary)
    if metered != Total():
        what = "what carries no student"
        yield Line(
            student=NOBODY,
            lab=what,
            planned_usd=ZERO,
            metered_usd=metered.usd,
            complete=metered.complete,
            billed_usd=ZERO,
        )
    for each in facts.bill.unallocated if facts.bill else ():
        what = f"{each.service or 'no service'}, {each.category}: {each.reason}"
        yield Line(student=NOBODY, lab=what, planned_usd=ZERO, metered_usd=ZERO, complete=True, billed_usd=each.usd)


def _metered(intervals: Sequence[Interval], summary: Summary) -> Total:
    return Total.of(each.usd(summary.facts.at) for each in intervals)
