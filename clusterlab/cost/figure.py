"""What so many hours of a load cost on one kind of machine: compute, disk, egress and the idle tail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from clusterlab.catalog import HOURS_PER_MONTH, Catalog, Kind, Row
from clusterlab.lab import Lab

PARTS = ("compute", "disk", "egress", "idle tail")


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is asked of machines for so many hours, whichever they are."""

    use_spot: bool
    num_nodes: int
    disk_size_gb: int
    """Of each node."""
    idle_minutes: int
    """Of each node, after the last job."""
    egress_gb: Decimal
    """Of all nodes together."""

    @classmethod
    def of(cls, lab: Lab) -> Load:
        """What a lab's file asks."""
        return cls(
            use_spot=lab.resources.use_spot,
            num_nodes=lab.num_nodes,
            disk_size_gb=lab.resources.disk_size_gb,
            idle_minutes=lab.resources.idle_minutes,
            egress_gb=lab.egress_gb,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one number of hours costs on one machine."""

    hours: Decimal
    machine: str = ""
    """Empty where no machine can be named."""
    region: str = ""
    """Where its price is asked; empty for this machine, and where no machine can be named."""
    parts: Mapping[str, Decimal | None]
    """Dollars by name of part; None where the price is not known."""

    @property
    def usd(self) -> Decimal | None:
        """The sum; None where a part of it is not known."""
        known = [part for part in self.parts.values() if part is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.parts) else None


def figure(load: Load, catalog: Catalog, machine: Row, hours: Decimal) -> Figure:
    """What a load costs on one kind of machine for so many hours."""
    rate = machine.usd(spot=load.use_spot)
    disk, egress = (catalog.beside(kind, machine) for kind in (Kind.DISK, Kind.EGRESS))
    tail = Decimal(load.idle_minutes) / 60
    gb_months = load.disk_size_gb * (hours + tail) / HOURS_PER_MONTH
    parts = {
        "compute": _times(rate, hours * load.num_nodes),
        "disk": _times(disk.on_demand_usd if disk else None, gb_months * load.num_nodes),
        "egress": _times(egress.on_demand_usd if egress else None, load.egress_gb),
        "idle tail": _times(rate, tail * load.num_nodes),
    }
    return Figure(hours=hours, machine=str(machine), region=machine.region, parts=parts)


def _times(usd: Decimal | None, amount: Decimal) -> Decimal | None:
    return None if usd is None else usd * amount
