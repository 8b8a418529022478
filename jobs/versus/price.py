"""What a million tokens cost: the price of the machine's hour by what it writes in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from clusterlab.catalog import Catalog, Row
from clusterlab.errors import InputError, Problem
from clusterlab.request import usd_per_hour

SECONDS_PER_HOUR = Decimal(3600)
MILLION = Decimal(10**6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An hour of a machine."""

    usd_per_hour: Decimal
    source: str
    """Whose, and of which day; for the reader of a table."""

    @classmethod
    def of(cls, environment: Mapping[str, str], machine: str) -> Price:
        """What is billed for this machine; where that is nothing or not known, the catalog's price of the named one.

        Raises:
            InputError: the catalog has no such machine, or not its price.
        """
        billed = usd_per_hour(environment)
        if billed:
            return cls(usd_per_hour=billed, source="as billed for this machine")
        row = priced_machines().get(machine)
        if row is None or row.on_demand_usd is None:
            raise InputError(Problem(path="MACHINE", message=_no_price(machine)))
        return cls(usd_per_hour=row.on_demand_usd, source=f"{row}, on demand, {row.as_of}")

    def usd_per_million(self, tokens_per_second: float) -> float:
        """Dollars for a million tokens at this rate; infinite where nothing is written."""
        if tokens_per_second <= 0:
            return float("inf")
        return float(self.usd_per_hour / SECONDS_PER_HOUR / Decimal(tokens_per_second) * MILLION)


def priced_machines() -> dict[str, Row]:
    """The machines of the clouds that the catalog has an on-demand price of, by name; of several the cheapest."""
    rows = [row for row in Catalog.load().rows if row.kind == "machine" and row.on_demand_usd]
    return {row.name: row for row in sorted(rows, key=lambda row: row.on_demand_usd or 0, reverse=True)}


def machine_problems(machine: str) -> list[str]:
    """What is wrong with a machine of a Config, and what is allowed; nothing where it has a price."""
    return [] if machine in priced_machines() else [f"MACHINE: {_no_price(machine)}"]


def _no_price(machine: str) -> str:
    return f"{machine!r} has no price in the catalog; allowed: {', '.join(sorted(priced_machines()))}"
