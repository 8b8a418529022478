"""Estimated, metered and billed side by side: of the bill's periods where one was imported, else without a bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from clusterlab.cost.money import to_cents
from clusterlab.cost.total import Total
from clusterlab.report.matrix import Cell
from clusterlab.report.summary import Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Of a student, a lab, a student x lab, or all of them."""

    student: str | None
    lab: str | None
    estimated_usd: Decimal | None
    """None where nothing was reserved."""
    metered: Total
    usd: Decimal
    """The known part of what was metered, to the cent; all rows sum."""
    billed_usd: Decimal | None
    """None without a bill."""
    error_usd: Decimal | None
    """Billed without shared cost, less metered; None where one of them is not known."""

    @property
    def amounts(self) -> tuple[Decimal | None, ...]:
        """What is put side by side; what was metered in part is not shown as a length."""
        return self.estimated_usd, self.usd if self.metered.complete else None, self.billed_usd


def compare(summary: Summary) -> tuple[Row, ...]:
    """By student and lab."""
    bill = summary.facts.bill
    if bill is None:
        return tuple(_of_cell(each) for each in summary.cells if each.estimated_usd or each.num_uses)
    cents = to_cents([row.metered.usd for row in bill.rows])
    return tuple(
        Row(
            student=row.unit.student,
            lab=row.unit.lab or None,
            estimated_usd=row.estimated_usd,
            metered=row.metered,
            usd=usd,
            billed_usd=row.billed_usd,
            error_usd=row.error_usd,
        )
        for row, usd in zip(bill.rows, cents, strict=True)
    )


def by(rows: Sequence[Row], key: str) -> tuple[Row, ...]:
    """The rows by `student` or by `lab`."""

    def order(of: Row) -> tuple[bool, str]:
        name = getattr(of, key)
        return name is None, name or ""

    groups = groupby(sorted(rows, key=order), key=lambda each: getattr(each, key))
    return tuple(total(list(of), **{key: name}) for name, of in groups)


def total(rows: Iterable[Row], *, student: str | None = None, lab: str | None = None) -> Row:
    """All rows as one."""
    given = list(rows)
    estimated = [each.estimated_usd for each in given if each.estimated_usd is not None]
    return Row(
        student=student,
        lab=lab,
        estimated_usd=sum(estimated, Decimal(0)) if estimated else None,
        metered=Total.together(each.metered for each in given),
        usd=sum((each.usd for each in given), Decimal(0)),
        billed_usd=_sum(each.billed_usd for each in given),
        error_usd=_sum(each.error_usd for each in given),
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum where all are known."""
    found = Total.of(amounts)
    return found.usd if found.complete else None


def _of_cell(cell: Cell) -> Row:
    return Row(
        student=cell.student,
        lab=cell.lab,
        estimated_usd=cell.estimated_usd if cell.num_runs else None,
        metered=cell.metered,
        usd=cell.usd,
        billed_usd=None,
        error_usd=None,
    )
