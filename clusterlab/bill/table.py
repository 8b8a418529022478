"""What the verbs of the bill show in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from clusterlab.bill.reconciliation import Reconciliation, Row
from clusterlab.bill.store import Part

if TYPE_CHECKING:
    from rich.console import RenderableType

UNKNOWN = "unknown"
NONE = "-"


def render_parts(parts: Iterable[Part]) -> RenderableType:
    """What an import did, one line a bill."""
    from rich.table import Table

    table = Table("provider", "account", "period from", "", box=None)
    for head in ("rows", "billed USD"):
        table.add_column(head, justify="right")
    for part in parts:
        key = part.key
        table.add_row(
            key.provider, key.account, f"{key.period:%Y-%m-%d}", part.state, str(part.num_rows), f"{part.usd:.2f}"
        )
    return table


def render(found: Reconciliation) -> Iterator[RenderableType]:
    """The rows, what is nobody's, and the bill that they sum to."""
    from rich.table import Table

    table = Table("student", "lab", box=None)
    for head in ("estimate", "metered", "billed", "of it shared", "error", "error %"):
        table.add_column(head, justify="right")
    for row in found.rows:
        table.add_row(row.unit.student, row.unit.lab or NONE, *_amounts(row))
    for line in found.unallocated:
        what = f"{line.service or 'no service'}, {line.category}: {line.reason}"
        table.add_row("unallocated", what, NONE, NONE, f"{line.usd:.2f}", NONE, NONE, NONE, style="yellow")
    table.add_section()
    table.add_row("bill", "", "", "", f"{found.bill_usd:.2f}", "", "", "", style="bold")
    yield table
    months = ", ".join(f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" for start, end in found.periods)
    yield f"USD, {months} (ends exclusive); error is billed without shared cost, less metered"


def _amounts(row: Row) -> tuple[str, ...]:
    return (
        _usd(row.estimated_usd),
        str(row.metered),
        _usd(row.billed_usd),
        _usd(row.shared_usd),
        UNKNOWN if row.error_usd is None else f"{row.error_usd:+.2f}",
        NONE if row.error_percent is None else f"{row.error_percent:+f}",
    )


def _usd(usd: Decimal | None) -> str:
    return NONE if usd is None else f"{usd:.2f}"
