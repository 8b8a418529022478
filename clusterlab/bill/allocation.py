"""Whose a bill is: by the resource, by the tags, by the rules for shared cost, and what nobody owns.

1. A resource that was metered belongs to whoever used it, by the time that each held of the charge's period.
2. Any other charge belongs to the student and lab of its tags.
3. What is left is nobody's. The rules share it out; what no rule takes stays on lines of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusterlab.bill.engine import identifier, reading
from clusterlab.bill.rules import Rule, Share
from clusterlab.bill.unit import PICO, Unit, split
from clusterlab.cost.interval import Interval

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MICROSECOND = timedelta(microseconds=1)
NO_TAG = "no tag of a student"
NOBODY = "held by nobody"
LINE = ("ServiceName", "ChargeCategory")
"""What tells lines of nobody's cost apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unowned:
    """A charge, or many alike, that carry nobody's name."""

    reason: str
    columns: Mapping[str, str | None]
    usd: Decimal
    num_rows: int


@dataclass(kw_only=True, slots=True)
class Allocation:
    """A bill, shared out. The amounts of the three sum to the bill, to the picodollar."""

    direct: dict[Unit, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By resource and tags."""
    shared: dict[Unit, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By the rules."""
    unowned: list[Unowned] = field(default_factory=list)


def allocate(
    relation: str,
    intervals: Sequence[Interval],
    rules: Sequence[Rule],
    units: Iterable[Unit],
    *,
    now: datetime,
    database: DuckDBPyConnection,
) -> Allocation:
    """Share out the rows of a relation in the normal form.

    Args:
        relation: SQL of the rows.
        intervals: What was metered, of any time.
        rules: For what is nobody's, the first that matches first.
        units: Who shares beside those who are billed for themselves.
        now: When an interval that goes on is taken to end.
        database: Where the relation is read.
    """
    holders: dict[str, list[Interval]] = defaultdict(list)
    for interval in intervals:
        holders[interval.resource_id].append(interval)
    columns = sorted({*LINE, *(column for rule in rules for column in rule.match)})
    found, nobodys = Allocation(), []
    for row in _charges(relation, list(holders), columns, database):
        nobodys += _owned(row, holders, columns, found.direct, now)
    _share_out(nobodys, rules, sorted({*found.direct, *units}), found)
    return found


def _charges(
    relation: str, resources: list[str], columns: Sequence[str], database: DuckDBPyConnection
) -> Iterator[dict[str, Any]]:
    """The bill in as few rows as tell it apart: its periods and columns only where they matter."""
    database.execute("CREATE OR REPLACE TEMP TABLE metered (resource VARCHAR)")
    database.execute("INSERT INTO metered SELECT unnest(?)", [resources])
    known = "(SELECT resource FROM metered)"
    resource = f"CASE WHEN ResourceId IN {known} THEN ResourceId WHEN x_Resource IN {known} THEN x_Resource END"
    owner, count = "x_Student AS student, x_Lab AS lab", "count(*) AS num_rows"
    listed = ", ".join(map(identifier, columns))
    metered = f"resource, {owner}, ChargePeriodStart AS begin, ChargePeriodEnd AS until, {listed}, {count}"
    if resources:
        relation = f"(SELECT *, {resource} AS resource FROM {relation})"
        yield from _grouped(metered, relation, "resource IS NOT NULL", database)
    others = "resource IS NULL AND x_Student" if resources else "x_Student"
    yield from _grouped(owner, relation, f"{others} IS NOT NULL", database)
    yield from _grouped(f"{listed}, {count}", relation, f"{others} IS NULL", database)


def _grouped(columns: str, relation: str, where: str, database: DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    sql = f"SELECT {columns}, sum(BilledCost) AS usd FROM {relation} WHERE {where} GROUP BY ALL"
    with reading("bill"):
        answer = database.execute(sql)
        names, rows = [each[0] for each in answer.description or ()], answer.fetchall()
    yield from (dict(zip(names, row, strict=True)) for row in rows)


def _owned(
    row: Mapping[str, Any],
    holders: Mapping[str, Sequence[Interval]],
    columns: Sequence[str],
    direct: dict[Unit, Decimal],
    now: datetime,
) -> list[Unowned]:
    """Give a charge to who owns it; what nobody owns of it comes back."""
    tagged = Unit(student=row["student"], lab=row["lab"] or "") if row.get("student") else None
    weights: dict[Unit | None, int] = {tagged: 1}
    if "resource" in row:
        weights = _held(holders[row["resource"]], row["begin"], row["until"], now) or (
            weights if tagged else _held(holders[row["resource"]], None, None, now) or weights
        )
    nobodys = []
    for unit, usd in zip(weights, split(row["usd"], list(weights.values())), strict=True):
        if unit is not None:
            direct[unit] += usd
        else:
            values = {column: row[column] for column in columns}
            reason = NOBODY if "resource" in row else NO_TAG
            nobodys.append(Unowned(reason=reason, columns=values, usd=usd, num_rows=row["num_rows"]))
    return nobodys


def _held(
    intervals: Iterable[Interval], begin: datetime | None, until: datetime | None, now: datetime
) -> dict[Unit | None, int]:
    """For how many microseconds each held a resource in a period, or at any time; empty where nobody did."""
    found: dict[Unit | None, int] = defaultdict(int)
    for each in intervals:
        first = each.start if begin is None else max(each.start, begin.replace(tzinfo=UTC))
        last = each.end or now
        last = last if until is None else min(last, until.replace(tzinfo=UTC))
        if last > first:
            unit = Unit(student=each.student, lab=each.lab or "") if each.student else None
            found[unit] += (last - first) // MICROSECOND
    return found


def _share_out(nobodys: Iterable[Unowned], rules: Sequence[Rule], units: Sequence[Unit], found: Allocation) -> None:
    """Let the rules take what is nobody's, each all of its charges at once; what none takes is left."""
    taken: dict[int, list[Unowned]] = defaultdict(list)
    for charge in nobodys:
        rule = next((number for number, each in enumerate(rules) if each.matches(charge.columns)), None)
        weights = {} if rule is None else _weights(rules[rule], units, found.direct)
        if rule is None or not any(weights.values()):
            found.unowned.append(charge)
        else:
            taken[rule].append(charge)
    for rule, charges in taken.items():
        weights = _weights(rules[rule], units, found.direct)
        usd = sum((each.usd for each in charges), Decimal(0))
        for unit, part in zip(weights, split(usd, list(weights.values())), strict=True):
            found.shared[unit] += part


def _weights(rule: Rule, units: Sequence[Unit], direct: Mapping[Unit, Decimal]) -> dict[Unit, int]:
    if rule.share is Share.TO and rule.to is not None:
        return {rule.to: 1}
    if rule.share is Share.EVEN:
        return dict.fromkeys(units, 1)
    # Who was given more credits than cost has no part of what others cause.
    return {unit: max(int(direct.get(unit, Decimal(0)).scaleb(PICO)), 0) for unit in units}
