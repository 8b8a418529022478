"""What a price list says of one row of the catalog, and how its numbers are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation

from clusterlab.catalog import Catalog, Kind, Row
from clusterlab.errors import InputError, Problem

Key = tuple[Kind, str, str, str]
"""Kind, cloud, region and name of a row: what no two rows share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """The prices of one row, in USD per its unit; None where the list has none."""

    on_demand_usd: Decimal | None
    spot_usd: Decimal | None
    as_of: date
    source: str

    def cheaper(self, other: Quote) -> Quote:
        """The lower of each price, as of two zones of one region."""
        return replace(
            self,
            on_demand_usd=_lower(self.on_demand_usd, other.on_demand_usd),
            spot_usd=_lower(self.spot_usd, other.spot_usd),
        )


Quotes = Mapping[Key, Quote]


def key_of(row: Row) -> Key:
    """Of a row of the catalog."""
    return row.kind, row.cloud, row.region, row.name


def wanted(catalog: Catalog, *clouds: str) -> dict[Key, Row]:
    """The rows of some clouds, by their keys."""
    return {key_of(row): row for row in catalog.rows if row.cloud in clouds}


def price(text: str | None, *, path: str, key: str) -> Decimal | None:
    """Read a price; None where the cell is empty or says that it is no number.

    Raises:
        InputError: it is something else than a number from 0.
    """
    if text is None or text.strip().lower() in ("", "nan"):
        return None
    try:
        number = Decimal(text.strip())
        if not number.is_finite() or number < 0:
            raise InvalidOperation
    except InvalidOperation as error:
        message = f"{text!r}; allowed: a price in USD from 0, or empty"
        raise InputError(Problem(path=path, key=key, message=message)) from error
    return number


def need_columns(path: str, there: Iterable[str] | None, wanted: Iterable[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        InputError: it lacks some; all of them are named.
    """
    missing = [column for column in wanted if column not in (there or ())]
    if missing:
        message = f"lacks the columns {', '.join(missing)}; allowed: a table that has them"
        raise InputError(Problem(path=path, message=message))


def _lower(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    known = [each for each in (first, second) if each is not None]
    return min(known, default=None)
