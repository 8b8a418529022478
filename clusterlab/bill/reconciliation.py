"""Estimate, metered and billed of each student x lab, side by side, and what is nobody's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from clusterlab.bill.allocation import LINE, Allocation, allocate
from clusterlab.bill.engine import connection
from clusterlab.bill.rules import Rule
from clusterlab.bill.store import Store
from clusterlab.bill.unit import Unit
from clusterlab.cost.interval import Interval
from clusterlab.cost.money import CENT, CURRENCY, to_cents, to_micro
from clusterlab.cost.total import Total

PERCENT = Decimal("0.1")
"""To which errors are rounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What a student x lab was to cost, what we saw it use, and what the bill says."""

    unit: Unit
    estimated_usd: Decimal | None
    """What was reserved for it; None where nothing was."""
    metered: Total
    """Hours by price, of our own records."""
    direct_usd: Decimal
    """Billed for its own resources and tags, to the cent."""
    shared_usd: Decimal
    """Its part of shared cost by the rules, to the cent."""

    @property
    def billed_usd(self) -> Decimal:
        """Its row of the bill."""
        return self.direct_usd + self.shared_usd

    @property
    def error_usd(self) -> Decimal | None:
        """By how much the bill is above what was metered; None where a price was not known."""
        return self.direct_usd - to_micro(self.metered.usd) if self.metered.complete else None

    @property
    def error_percent(self) -> Decimal | None:
        """The same, of what was metered; None also where that is nothing."""
        if self.error_usd is None or not self.metered.usd:
            return None
        return (100 * self.error_usd / self.metered.usd).quantize(PERCENT)

    def within(self, percent: Decimal) -> bool:
        """Whether bill and metering agree, to so many percent or to a cent."""
        return self.error_usd is not None and abs(self.error_usd) <= max(self.metered.usd * percent / 100, CENT)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "student": self.unit.student,
            "lab": self.unit.lab,
            "estimated_usd": _text(self.estimated_usd),
            "metered": self.metered.as_json(),
            "direct_usd": _text(self.direct_usd),
            "shared_usd": _text(self.shared_usd),
            "billed_usd": _text(self.billed_usd),
            "error_usd": _text(self.error_usd),
            "error_percent": _text(self.error_percent),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Cost that is nobody's, by why, service and category."""

    reason: str
    service: str
    category: str
    usd: Decimal
    num_rows: int
    """Of the bill, in whole or in part."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "reason": self.reason,
            "service": self.service,
            "category": self.category,
            "usd": _text(self.usd),
            "num_rows": self.num_rows,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """A bill, reconciled: the rows and the lines sum to it, to the cent."""

    periods: tuple[tuple[datetime, datetime], ...]
    """Of the bill; ends exclusive."""
    rows: tuple[Row, ...]
    unallocated: tuple[Line, ...]

    @property
    def unallocated_usd(self) -> Decimal:
        """What is nobody's."""
        return sum((line.usd for line in self.unallocated), Decimal(0))

    @property
    def bill_usd(self) -> Decimal:
        """The bill."""
        return sum((row.billed_usd for row in self.rows), self.unallocated_usd)

    def agrees(self, percent: Decimal) -> bool:
        """Whether every cent has an owner, and every row is what was metered, to so many percent."""
        return not any(line.usd for line in self.unallocated) and all(row.within(percent) for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "currency": CURRENCY,
            "periods": [{"start": start.isoformat(), "end": end.isoformat()} for start, end in self.periods],
            "rows": [row.as_json() for row in self.rows],
            "unallocated": [line.as_json() for line in self.unallocated],
            "unallocated_usd": _text(self.unallocated_usd),
            "bill_usd": _text(self.bill_usd),
        }


def reconcile(
    store: Store,
    intervals: Sequence[Interval],
    estimates: Mapping[Unit, Decimal],
    rules: Sequence[Rule] = (),
    *,
    now: datetime,
    period: str | None = None,
) -> Reconciliation:
    """Set the bill against what was estimated and metered.

    Args:
        store: The bills that were imported.
        intervals: What was metered, of any time; what lies in the bill's periods is compared with it.
        estimates: What was reserved, by student x lab, in those periods.
        rules: How shared cost is shared out.
        now: When an interval that goes on is taken to end.
        period: A month, such as `2026-10`; all that were imported where it is not given.

    Raises:
        InputError: no bill of that period was imported.
    """
    relation = store.relation(period)
    with connection() as database:
        periods = store.periods(database, period)
        metered = _metered(intervals, periods, now)
        units = {*metered, *estimates}
        allocation = allocate(relation, intervals, rules, units, now=now, database=database)
    return _to_the_cent(allocation, metered, estimates, periods)


def _metered(
    intervals: Sequence[Interval], periods: Sequence[tuple[datetime, datetime]], now: datetime
) -> dict[Unit, Total]:
    """What each student x lab used in the periods, an instant of two periods once."""
    found: dict[Unit, Total] = defaultdict(Total)
    for interval in intervals:
        if interval.student is None:
            continue
        seen = interval.start
        for begin, until in periods:
            start, end = max(seen, begin), min(interval.end or now, until)
            if end > start:
                part = replace(interval, start=start, end=end)
                found[Unit(student=interval.student, lab=interval.lab or "")] += Total.of([part.usd(now)])
                seen = end
    return dict(found)


def _to_the_cent(
    allocation: Allocation,
    metered: Mapping[Unit, Total],
    estimates: Mapping[Unit, Decimal],
    periods: Sequence[tuple[datetime, datetime]],
) -> Reconciliation:
    units = sorted({*allocation.direct, *allocation.shared, *metered, *estimates})
    lines: dict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for each in allocation.unowned:
        key = (each.reason, *(each.columns[column] or "" for column in LINE))
        lines[key].append(each.usd)
        counts[key] += each.num_rows
    amounts = [part.get(unit, Decimal(0)) for unit in units for part in (allocation.direct, allocation.shared)]
    cents = to_cents(amounts + [sum(lines[key], Decimal(0)) for key in sorted(lines)])
    rows = [
        Row(
            unit=unit,
            estimated_usd=estimates.get(unit),
            metered=metered.get(unit, Total()),
            direct_usd=cents[2 * number],
            shared_usd=cents[2 * number + 1],
        )
        for number, unit in enumerate(units)
    ]
    unallocated = [
        Line(reason=reason, service=service, category=category, usd=usd, num_rows=counts[reason, service, category])
        for (reason, service, category), usd in zip(sorted(lines), cents[2 * len(units) :], strict=True)
    ]
    return Reconciliation(periods=tuple(periods), rows=tuple(rows), unallocated=tuple(unallocated))


def _text(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:f}"
