"""Write SkyPilot's catalog from ours, so that its optimizer and `clusterlab plan` stand on the same prices.

SkyPilot 0.14.1 reads the files of catalog schema v8 below `~/.sky/catalogs`. A file there that has no checksum beside
it counts as put there by hand, and is never fetched again from the net.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from clusterlab.catalog import LOCAL, PATH, Catalog, Kind, Row
from clusterlab.errors import InputError, Problem

CLOUD = "aws"
ZONES = {
    "us-east-1": ("use1-az1", "use1-az2"),
    "us-east-2": ("use2-az1", "use2-az2"),
    "us-west-2": ("usw2-az1", "usw2-az2"),
    "eu-west-1": ("euw1-az1", "euw1-az2"),
    "eu-central-1": ("euc1-az2", "euc1-az3"),
}
"""By region, the ids of two of its zones, so that one can be full: ids, which mean the same zone in every account."""
IMAGE_TAGS = ("skypilot:custom-cpu-ubuntu", "skypilot:custom-gpu-ubuntu", "skypilot:custom-gpu-ubuntu-cuda13")
"""What SkyPilot looks up where a task names no image: for a CPU, a GPU before Turing, and any other GPU."""
IMAGE_ID = "ami-12c6146b"
"""An image that moto knows."""

Cell = str | int | Decimal | None

_MACHINE_COLUMNS = (
    "InstanceType",
    "AcceleratorName",
    "AcceleratorCount",
    "vCPUs",
    "MemoryGiB",
    "GpuInfo",
    "Price",
    "SpotPrice",
    "Region",
    "AvailabilityZone",
    "Arch",
    "LocalDiskType",
    "NVMeSupported",
    "LocalDiskSize",
    "LocalDiskCount",
    "MaximumEfaInterfaces",
)


_OTHER_COLUMNS = (
    *("InstanceType", "vCPUs", "MemoryGiB", "AcceleratorName", "AcceleratorCount", "GpuInfo"),
    *("Region", "AvailabilityZone", "Price", "SpotPrice"),
)


def emulated(catalog: Catalog) -> Catalog:
    """What the emulated cloud charges: where no spot price is known that on demand, since AWS asks for no more."""
    rows = (
        replace(row, spot_usd=row.on_demand_usd) if row.cloud == CLOUD and row.spot_usd is None else row
        for row in catalog.rows
    )
    return Catalog(rows=tuple(rows))


def write_skypilot_catalog(catalog: Catalog, home: Path, *, image_id: str = IMAGE_ID) -> None:
    """Write what SkyPilot knows of AWS to the home folder `home`; every machine boots `image_id`.

    Of each other cloud it is told no more than where that is: it looks a region up in the cloud's file, and would fetch
    that from the net, also where the cloud is not enabled.

    Where a spot price is not known, the price on demand stands for it: AWS asks for no more than that. A machine whose
    price on demand is not known is left out, since SkyPilot compares the zones' prices and fails on an empty one.

    Raises:
        InputError: a machine stands in a region whose zones are not known.
    """
    machines = [row for row in catalog.rows if (row.kind, row.cloud) == (Kind.MACHINE, CLOUD)]
    machines = [row for row in machines if row.on_demand_usd is not None]
    regions = tuple(dict.fromkeys(row.region for row in machines))
    _know_zones(regions)
    folder = home / ".sky" / "catalogs" / "v8"
    memory = {row.accelerator: row.accelerator_memory_gib for row in machines if row.accelerator}
    images = [(tag, region, "ubuntu", "22.04", image_id, "20260101") for tag in IMAGE_TAGS for region in regions]
    _write(folder / "aws" / "vms.csv", _MACHINE_COLUMNS, _machines(machines))
    _write(folder / "aws" / "images.csv", ("Tag", "Region", "OS", "OSVersion", "ImageId", "CreationDate"), images)
    for cloud in dict.fromkeys(row.cloud for row in catalog.rows if row.cloud not in (CLOUD, LOCAL)):
        _write(folder / cloud / "vms.csv", _OTHER_COLUMNS, _elsewhere(catalog, cloud))
    # No rows: SkyPilot asks for a quota only where it finds its code, and moto keeps none for EC2.
    quotas = ("InstanceType", "SpotInstanceCode", "OnDemandInstanceCode")
    _write(folder / "aws" / "instance_quota_mapping.csv", quotas, [])
    _write(folder / "common" / "accelerators.csv", ("AcceleratorName", "Clouds"), [(n, "['AWS']") for n in memory])
    gpus = [(name, gib, "NVIDIA") for name, gib in memory.items()]
    _write(folder / "common" / "metadata.csv", ("GPU", "MemoryGB", "Manufacturer"), gpus)


def _know_zones(regions: Iterable[str]) -> None:
    problems = [
        Problem(
            path=str(PATH), key="region", message=f"{region!r}: its zones are not known; allowed: {', '.join(ZONES)}"
        )
        for region in regions
        if region not in ZONES
    ]
    if problems:
        raise InputError(problems)


def _machines(rows: Iterable[Row]) -> Iterable[tuple[Cell, ...]]:
    """One line for each machine and zone."""
    for row in rows:
        for zone in ZONES[row.region]:
            accelerators = (row.accelerator, row.accelerator_count or None)
            what = (row.name, *accelerators, row.vcpus, row.memory_gib, _gpu_info(row))
            # The last columns are of local disks and fast network cards, of which our catalog says nothing.
            spot_usd = row.on_demand_usd if row.spot_usd is None else row.spot_usd
            yield (*what, row.on_demand_usd, spot_usd, row.region, zone, "x86_64", *[None] * 5)


def _elsewhere(catalog: Catalog, cloud: str) -> Iterable[tuple[Cell, ...]]:
    """One line for each region of a cloud that is not emulated."""
    machines = (row for row in catalog.rows if (row.kind, row.cloud) == (Kind.MACHINE, cloud))
    for row in {row.region: row for row in machines}.values():
        size = (row.name, row.vcpus, row.memory_gib, None, None, None)
        yield (*size, row.region, f"{row.region}-a", row.on_demand_usd, row.spot_usd)


def _gpu_info(row: Row) -> str:
    """What EC2 says of a machine's GPUs, written as SkyPilot reads it: a Python literal."""
    if not row.accelerator:
        return ""
    mib, count = int((row.accelerator_memory_gib or 0) * 1024), row.accelerator_count
    gpu = {"Name": row.accelerator, "Manufacturer": "NVIDIA", "Count": count, "MemoryInfo": {"SizeInMiB": mib}}
    return repr({"Gpus": [gpu], "TotalGpuMemoryInMiB": mib * count})


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
