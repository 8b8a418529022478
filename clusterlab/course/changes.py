"""The table of what `up` would change, with dollars an hour beside each resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusterlab.catalog import Catalog
from clusterlab.cost.total import Total
from clusterlab.course.events import Change
from clusterlab.course.rates import Rate, rate

if TYPE_CHECKING:
    from rich.table import Table

GONE = ("delete", "delete-replaced", "discard", "discard-replaced")
QUIET = ("same", "read", "refresh", "read-replacement")
"""Operations that a table leaves out; what stays is in the sum all the same."""
TWICE = ("create-replacement", "delete-replaced")
"""The two halves of a replacement, which is told once, as `replace`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One resource of a preview."""

    change: Change
    rate: Rate | None
    """None of what is not billed."""

    @property
    def usd(self) -> Decimal | None:
        """An hour, when the change is made: nothing of what goes."""
        if self.rate is None or self.change.op in GONE:
            return Decimal(0)
        return self.rate.usd

    def as_json(self) -> dict[str, Any]:
        """As JSON values; `usd_per_hour` is `unknown` where it is not known."""
        usd = "unknown" if self.usd is None else f"{self.usd:f}"
        billed = self.rate is not None and self.change.op not in GONE
        return {
            "op": self.change.op,
            "type": self.change.kind,
            "name": self.change.name,
            "region": self.change.region,
            "usd_per_hour": usd if billed else None,
            "what": self.rate.what if self.rate and billed else "",
        }


def priced(changes: Iterable[Change], catalog: Catalog) -> list[Line]:
    """Each change with what its resource costs."""
    return [
        Line(change=each, rate=rate(each.kind, each.inputs, region_of(each), catalog))
        for each in changes
        if each.op not in TWICE
    ]


def region_of(change: Change) -> str:
    """Where a resource is: by what it says, else by its zone."""
    zone = str(change.inputs.get("availabilityZone") or change.inputs.get("zone") or "")
    by_zone = zone.rpartition("-")[0] if change.kind.startswith("gcp:") else zone[:-1]
    return change.region or by_zone


def total(lines: Iterable[Line]) -> Total:
    """What the stack costs an hour when all is made, `incomplete` where some price is not known."""
    return Total.of(line.usd for line in lines)


def table(lines: Sequence[Line]) -> Table:
    """Of what changes, the expensive first."""
    from rich.table import Table

    shown = Table("", "type", "name", "USD/h", "what", box=None, pad_edge=False)
    for line in sorted((each for each in lines if each.change.op not in QUIET), key=_by_price):
        values = line.as_json()
        shown.add_row(values["op"], values["type"], values["name"], _price(values["usd_per_hour"]), values["what"])
    return shown


def _by_price(line: Line) -> tuple[bool, Decimal, str, str]:
    """Unknown ones first: nobody has looked at those yet."""
    usd = line.usd
    return usd is not None, -(usd or Decimal(0)), line.change.kind, line.change.name


def _price(usd: str | None) -> str:
    return "" if usd is None else usd if usd == "unknown" else f"{Decimal(usd):.4f}"
