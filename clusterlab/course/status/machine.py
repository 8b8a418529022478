"""What a class has in its clouds, as they say themselves: by the tag `course`, everywhere, with leases and prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.catalog import Kind as RowKind
from clusterlab.lease import Lease
from clusterlab.reaper.resource import BY_THE_HOUR, ENDING, Kind, Resource
from clusterlab.reaper.scan import Scan

CLUSTER_TAG = "skypilot-cluster-name"
"""By which a machine says of which of SkyPilot's clusters it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A machine, disk or address that is there."""

    resource: Resource
    lease: Lease
    past: bool
    """Whether it should be gone."""
    usd_per_hour: Decimal | None
    """Of a machine, now: 0 of one that is stopped. None where it is not known, as of disks and addresses."""
    num_gpus: int | None
    """None where the catalog does not know the machine."""
    accelerator: str = ""
    """By SkyPilot's name."""

    @property
    def student(self) -> str | None:
        """Whose it is, by its tag."""
        return self.resource.tags.get("student")

    @property
    def cluster(self) -> str:
        """What it is part of: SkyPilot's cluster, else the run of its launch, else itself."""
        tags = self.resource.tags
        return tags.get(CLUSTER_TAG) or tags.get("run") or self.resource.id

    @property
    def is_machine(self) -> bool:
        """Whether it is one, and not a disk or an address."""
        return self.resource.kind is Kind.INSTANCE

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        each = self.resource
        return {
            "kind": each.kind,
            "id": each.id,
            "region": each.region,
            "shape": each.shape,
            "state": each.state,
            "spot": each.spot,
            "cluster": self.cluster,
            "student": self.student,
            "team": each.tags.get("team"),
            "lab": each.tags.get("lab"),
            "run": each.tags.get("run"),
            "created": each.created.isoformat() if each.created else None,
            "lease_until": self.lease.until.isoformat(),
            "lease_why": self.lease.why,
            "past": self.past,
            "usd_per_hour": None if self.usd_per_hour is None else f"{self.usd_per_hour:f}",
            "num_gpus": self.num_gpus,
        }


def holdings(seen: Scan, catalog: Catalog, *, granted: timedelta, now: datetime) -> tuple[Holding, ...]:
    """What of a scan is billed while it is there, by cluster; what is ending already is left out."""
    there = [each for each in seen.resources if each.kind in BY_THE_HOUR and each.state != ENDING]
    # A disk that ends with its machine has no end of its own.
    with_machine = {disk for each in there for disk in each.disks}
    found = [_holding(each, catalog, granted, now) for each in there if each.id not in with_machine]
    return tuple(sorted(found, key=lambda each: (each.cluster, each.resource.kind, each.resource.id)))


def problems(seen: Scan) -> tuple[str, ...]:
    """What could not be looked at, one line for each reason, with the regions that have it."""
    regions: dict[str, list[str]] = {}
    for each in seen.failed:
        places = regions.setdefault(str(each.error), [])
        if each.region not in places:
            places.append(each.region)
    return tuple(f"{', '.join(places)}: {why}" for why, places in regions.items())


def clusters(machines: Iterable[Holding]) -> dict[str, list[Holding]]:
    """What is there by cluster, in order."""
    found: dict[str, list[Holding]] = {}
    for each in machines:
        found.setdefault(each.cluster, []).append(each)
    return found


def _holding(each: Resource, catalog: Catalog, granted: timedelta, now: datetime) -> Holding:
    lease = Lease.of(each.tags, each.created or now, granted)
    is_machine = each.kind is Kind.INSTANCE
    row = catalog.row(RowKind.MACHINE, each.cloud, each.region, each.shape) if is_machine else None
    usd = row.usd(spot=each.spot) if row else None
    return Holding(
        resource=each,
        lease=lease,
        past=lease.until <= now,
        usd_per_hour=Decimal(0) if is_machine and not each.runs else usd,
        num_gpus=0 if not is_machine else row.accelerator_count if row else None,
        accelerator=row.accelerator if row else "",
    )
