"""What a resource of a stack costs for each hour that it is there, by the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from clusterlab.catalog import HOURS_PER_MONTH, Catalog, Kind

INSTANCE = "aws:ec2/instance:Instance"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
VOLUME = "aws:ebs/volume:Volume"
GCP_INSTANCE = "gcp:compute/instance:Instance"
GCP_DISK = "gcp:compute/disk:Disk"
GCP_NODE_POOL = "gcp:container/nodePool:NodePool"
UNPRICED = frozenset(
    {
        "aws:autoscaling/group:Group",
        "aws:ec2/eip:Eip",
        "aws:ec2/fleet:Fleet",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/spotFleetRequest:SpotFleetRequest",
        "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
        "aws:efs/fileSystem:FileSystem",
        "aws:eks/cluster:Cluster",
        "aws:fsx/lustreFileSystem:LustreFileSystem",
        "aws:kms/key:Key",
        "aws:lambda/function:Function",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:rds/cluster:Cluster",
        "aws:rds/instance:Instance",
        "aws:ecr/repository:Repository",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
        "aws:secretsmanager/secret:Secret",
        "gcp:compute/address:Address",
        "gcp:compute/routerNat:RouterNat",
        "gcp:container/cluster:Cluster",
        "gcp:filestore/instance:Instance",
        "gcp:storage/bucket:Bucket",
    }
)
"""What is billed and not in the catalog: by the hour, by the month, or by use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """So many machines of one type, which a resource asks for."""

    cloud: str
    name: str
    """Instance type; empty where the resource does not say."""
    count: int
    """0 of what only describes machines, such as a launch template."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What a resource costs for each hour."""

    usd: Decimal | None
    """None where it is not known."""
    what: str
    """Such as `2 x m5.large`."""


def rate(kind: str, inputs: Mapping[str, Any], region: str, catalog: Catalog) -> Rate | None:
    """What a resource costs an hour, by Pulumi's type and inputs; None of what is not billed."""
    asked = [each for each in machines(kind, inputs) if each.count]
    disks = list(_disks(kind, inputs))
    if not asked and not disks:
        return Rate(usd=None, what="not in the catalog") if kind in UNPRICED else None
    parts = [_times(machine_usd(each, region, catalog), Decimal(each.count)) for each in asked]
    parts += [_disk_usd(kind, name, gb, region, catalog) for name, gb in disks]
    told = [f"{each.count} x {each.name or 'unknown'}" for each in asked]
    told += [f"{'unknown' if gb is None else f'{gb:f}'} GB {name}" for name, gb in disks]
    known = [each for each in parts if each is not None]
    usd = sum(known, Decimal(0)) if len(known) == len(parts) else None
    return Rate(usd=usd, what=" + ".join(told))


def machines(kind: str, inputs: Mapping[str, Any]) -> Sequence[Machines]:
    """The machines that a resource asks for; of a node group those that it wants now, and one of each of its types."""
    if kind in (INSTANCE, LAUNCH_TEMPLATE):
        name = str(inputs.get("instanceType") or "")
        if kind == LAUNCH_TEMPLATE:
            return [Machines(cloud="aws", name=name, count=0)] if name else []
        return [Machines(cloud="aws", name=name, count=1)]
    if kind == NODE_GROUP:
        # Without a type of its own it has that of its launch template, else t3.medium.
        names = inputs.get("instanceTypes") or [""]
        wanted = int((inputs.get("scalingConfig") or {}).get("desiredSize") or 0)
        return [Machines(cloud="aws", name=str(names[0]), count=wanted)] + [
            Machines(cloud="aws", name=str(name), count=0) for name in names[1:]
        ]
    if kind == GCP_INSTANCE:
        return [Machines(cloud="gcp", name=str(inputs.get("machineType") or ""), count=1)]
    if kind == GCP_NODE_POOL:
        name = str((inputs.get("nodeConfig") or {}).get("machineType") or "")
        wanted = int(inputs.get("nodeCount") or inputs.get("initialNodeCount") or 0)
        return [Machines(cloud="gcp", name=name, count=wanted)]
    return []


def machine_usd(asked: Machines, region: str, catalog: Catalog) -> Decimal | None:
    """What one of them costs an hour on demand; None where it is not known."""
    row = catalog.row(Kind.MACHINE, asked.cloud, region, asked.name)
    return row.on_demand_usd if row else None


def _disks(kind: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, Decimal | None]]:
    """Type and GB of the disks that come with a resource; None where it does not say how large."""
    if kind == VOLUME:
        yield str(inputs.get("type") or "unknown"), _gb(inputs.get("size"))
    elif kind == INSTANCE:
        for disk in (inputs.get("rootBlockDevice") or {}, *(inputs.get("ebsBlockDevices") or ())):
            yield str(disk.get("volumeType") or "unknown"), _gb(disk.get("volumeSize"))
    elif kind == GCP_DISK:
        yield str(inputs.get("type") or "unknown"), _gb(inputs.get("size"))
    elif kind == GCP_INSTANCE:
        boot = (inputs.get("bootDisk") or {}).get("initializeParams") or {}
        yield str(boot.get("type") or "unknown"), _gb(boot.get("size"))


def _gb(size: Any) -> Decimal | None:
    try:
        return None if size is None else Decimal(str(size)).normalize() + 0
    except InvalidOperation:
        return None


def _disk_usd(kind: str, name: str, gb: Decimal | None, region: str, catalog: Catalog) -> Decimal | None:
    row = catalog.row(Kind.DISK, kind.partition(":")[0], region, name)
    if row is None or row.on_demand_usd is None or gb is None:
        return None
    return row.on_demand_usd * gb / HOURS_PER_MONTH


def _times(usd: Decimal | None, count: Decimal) -> Decimal | None:
    return None if usd is None else usd * count
