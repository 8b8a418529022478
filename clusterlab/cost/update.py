"""Bring a catalog's prices up to a newer list: what would change, and the catalog as it would then be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from clusterlab.catalog import COLUMNS, LOCAL, Catalog, Row
from clusterlab.cost.quote import Quote, Quotes, key_of
from clusterlab.errors import InputError, Problem

JUMP = Decimal("0.5")
"""By what share of the old price a new one may differ before somebody has to say that it is so."""
SPOT = "; spot: "
"""Before the source of a spot price that another list said than that on demand."""


class Outcome(StrEnum):
    """What becomes of a row."""

    CHANGED = "changed"
    CONFIRMED = "confirmed"
    """The same price, on a later day."""
    OLDER = "older"
    """The list is older than what the catalog has: kept."""
    MISSING = "missing"
    """Not in the list: kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A row before and after."""

    outcome: Outcome
    old: Row
    new: Row

    @property
    def prices(self) -> Mapping[str, tuple[Decimal | None, Decimal | None]]:
        """Those that differ, old and new, by `on demand` or `spot`."""
        pairs = {
            "on demand": (self.old.on_demand_usd, self.new.on_demand_usd),
            "spot": (self.old.spot_usd, self.new.spot_usd),
        }
        return {market: (old, new) for market, (old, new) in pairs.items() if old != new}

    @property
    def jumps(self) -> bool:
        """Whether a price turns 0, or differs from the one before by more than `JUMP` of it."""
        return any(_jumps(old, new) for old, new in self.prices.values())

    def as_json(self) -> dict[str, Any]:
        """As JSON values, prices as texts."""
        return {
            "row": self.old.placed,
            "kind": self.old.kind,
            "outcome": self.outcome,
            "prices": [
                {"market": market, "old_usd": _text(old), "new_usd": _text(new), "percent": percent(old, new)}
                for market, (old, new) in self.prices.items()
            ],
            "jumps": self.jumps,
        }


def changes(catalog: Catalog, quotes: Quotes, *, clouds: Iterable[str]) -> list[Change]:
    """What becomes of each row of these clouds, in the catalog's order."""
    asked = set(clouds) - {LOCAL}
    return [_change(row, quotes.get(key_of(row))) for row in catalog.rows if row.cloud in asked]


def refuse_jumps(found: Iterable[Change]) -> None:
    """Refuse prices that jump or turn 0: more often a slip of the list than of the cloud.

    Raises:
        InputError: some do; each is named.
    """
    problems = [
        Problem(
            path=change.old.placed,
            key=market,
            message=f"{_text(old)} USD becomes {_text(new)}; allowed: up to {JUMP:.0%} more or less, or --accept-jumps",
        )
        for change in found
        for market, (old, new) in change.prices.items()
        if _jumps(old, new)
    ]
    if problems:
        raise InputError(problems)


def written(catalog: Catalog, found: Iterable[Change]) -> str:
    """The catalog with these changes, as its file has it."""
    new = {key_of(change.old): change.new for change in found}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in catalog.rows:
        cells = new.get(key_of(row), row)
        writer.writerow([_cell(getattr(cells, column, None)) if column != "unit" else cells.unit for column in COLUMNS])
    return file.getvalue()


def percent(old: Decimal | None, new: Decimal | None) -> str | None:
    """By how much a price rises or falls; None where one of the two is not known, or the old one is 0."""
    return None if not old or new is None else f"{(new - old) / old:+.1%}"


def _change(row: Row, quote: Quote | None) -> Change:
    if quote is None or quote.on_demand_usd is quote.spot_usd is None:
        return Change(outcome=Outcome.MISSING, old=row, new=row)
    if row.as_of is not None and quote.as_of < row.as_of:
        return Change(outcome=Outcome.OLDER, old=row, new=row)
    new = _updated(row, quote)
    same = (row.on_demand_usd, row.spot_usd) == (new.on_demand_usd, new.spot_usd)
    return Change(outcome=Outcome.CONFIRMED if same else Outcome.CHANGED, old=row, new=new)


def _updated(row: Row, quote: Quote) -> Row:
    """A price that the list lacks stays, and the row is then as old as that price."""
    on_demand = row.on_demand_usd if quote.on_demand_usd is None else quote.on_demand_usd
    spot = row.spot_usd if quote.spot_usd is None else quote.spot_usd
    kept = (quote.on_demand_usd is None and on_demand is not None) or (quote.spot_usd is None and spot is not None)
    as_of, source = quote.as_of, quote.source
    if kept and row.as_of is not None:
        as_of, source = min(row.as_of, quote.as_of), f"{quote.source}{SPOT}{row.source.rpartition(SPOT)[2]}"
        if quote.on_demand_usd is None:
            source = f"{row.source.partition(SPOT)[0]}{SPOT}{quote.source}"
    return replace(row, on_demand_usd=on_demand, spot_usd=spot, as_of=as_of, source=source)


def _jumps(old: Decimal | None, new: Decimal | None) -> bool:
    if old is None or new is None:
        return new == 0
    return abs(new - old) > JUMP * old or (new == 0) != (old == 0)


def _text(usd: Decimal | None) -> str:
    return "unknown" if usd is None else f"{usd:f}"


def _cell(value: Any) -> str:
    if value is None or (value == 0 and isinstance(value, int)):
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else str(value)
