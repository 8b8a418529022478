"""What must hold of every row of a layout before any of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.bill import focus, normal
from clusterlab.bill.engine import identifier, quoted, reading
from clusterlab.bill.layout import FILE, Layout
from clusterlab.cost.money import CURRENCY
from clusterlab.errors import Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A condition of rows that are wrong."""

    key: str
    """The column of the files that is shown."""
    wrong: str
    """SQL; may use the columns of the normal form, which begin with `n_`."""
    allowed: str
    shown: str | None = None
    """The SQL of the value that a message shows; the column itself where it is not given."""


def row_faults(layout: Layout, database: DuckDBPyConnection) -> list[Problem]:
    """Every kind of fault that rows have, each once with a value and how many rows have it.

    Raises:
        InputError: a file cannot be read to its end.
    """
    checks, expressions = _checks(layout), layout.expressions()
    normals = ", ".join(f"{sql} AS {_n(column)}" for column, sql in expressions.items() if column in normal.NEEDED)
    counts = ", ".join(
        f"count(*) FILTER ({check.wrong}), any_value({{'f': {FILE}, 'v': CAST({shown} AS VARCHAR)}}) "
        f"FILTER ({check.wrong})"
        for check in checks
        for shown in [check.shown or identifier(check.key)]
    )
    with reading(", ".join(str(each.path) for each in layout.sources)):
        found = database.execute(f"SELECT {counts} FROM (SELECT *, {normals} FROM {layout.relation})").fetchone() or ()
    return [
        Problem(path=sample["f"], key=check.key, message=_message(count, sample["v"], check))
        for check, count, sample in zip(checks, found[::2], found[1::2], strict=True)
        if count
    ]


def _checks(layout: Layout) -> list[Check]:
    start, end = _n("ChargePeriodStart"), _n("ChargePeriodEnd")
    source = {column: layout.source_of(column) or column for column in normal.COLUMNS}
    found = [
        Check(key=source[column], wrong=f"{_n(column)} IS NULL", allowed=allowed)
        for column, allowed in normal.NEEDED.items()
        if layout.source_of(column)
    ]
    if tags := layout.source_of("x_Student"):
        readable = normal.readable_tags(identifier(tags), layout.columns[tags])
        found.append(Check(key=tags, wrong=f"NOT {readable}", allowed="tags as JSON"))
    period_end = source["BillingPeriodEnd"]
    ends = normal.value("BillingPeriodEnd", identifier(period_end), layout.columns[period_end])
    month = f"{ends} <= {_n('BillingPeriodStart')} OR {ends} > {_n('BillingPeriodEnd')}"
    known = ", ".join(map(quoted, focus.CATEGORIES))
    return [
        *found,
        Check(key=source["ChargeCategory"], wrong=f"{_n('ChargeCategory')} NOT IN ({known})", allowed=known),
        Check(
            key=source["BillingCurrency"],
            wrong=f"{_n('BillingCurrency')} <> {quoted(CURRENCY)}",
            allowed=f"{CURRENCY}, the one currency of prices and budgets",
        ),
        Check(
            key=source["ChargePeriodEnd"],
            wrong=f"{end} < {start}",
            allowed="an end that is not before its start",
            shown=f"CAST({start} AS VARCHAR) || ' to ' || CAST({end} AS VARCHAR)",
        ),
        Check(key=period_end, wrong=month, allowed="an end within a month after BillingPeriodStart"),
    ]


def _message(count: int, shown: str | None, check: Check) -> str:
    value = "empty" if shown in (None, "") else repr(shown)
    return f"{value} in {count} row{'s' if count > 1 else ''}; allowed: {check.allowed}"


def _n(column: str) -> str:
    return f"n_{column}"
