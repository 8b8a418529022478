"""EC2's own view: the course's instances, volumes and addresses in all regions, by tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clusterlab.catalog import HOURS_PER_MONTH, Catalog
from clusterlab.catalog import Kind as RowKind
from clusterlab.cost.interval import Kind, Source
from clusterlab.errors import UnreachableError
from clusterlab.metering.observation import UNKNOWN, Observation, Price, Sighting

CLOUD = "aws"
HOME = "us-east-1"
"""Where EC2 is asked which regions there are."""
MACHINE, DISK, ADDRESS = "instance-id", "volume-id", "allocation-id"
PREFIXES = {MACHINE: "i-", DISK: "vol-", ADDRESS: "eipalloc-"}
"""EC2's filters by id, and how such an id begins."""
Filters = Mapping[str, list[dict[str, Any]]]
"""What is asked for, by the filter of its ids; a kind that is not there is not asked for."""
BATCH = 200
"""Values that a filter of EC2 takes."""
PAID = ("running",)
"""The states of an instance that AWS bills; a stopped one's volumes are billed still."""
BEFORE = ("pending",)
TRANSITION = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
"""When it left the state before, in an instance's StateTransitionReason."""


def all_regions(session: Any) -> list[str]:
    """Every region that the account may use.

    Raises:
        UnreachableError: EC2 does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = session.client("ec2", region_name=session.region_name or HOME).describe_regions()
    except (BotoCoreError, ClientError) as error:
        raise UnreachableError(f"EC2: its regions cannot be listed: {error}") from error
    return sorted(region["RegionName"] for region in found["Regions"])


def observe(
    session: Any,
    catalog: Catalog,
    *,
    course: str,
    regions: Iterable[str],
    at: datetime,
    owners: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
) -> Observation:
    """Ask EC2 in each region for what carries the tag `course`.

    Args:
        session: boto3's.
        catalog: Whose prices are frozen into what begins.
        course: The tag's value.
        regions: A region that does not answer is a problem, and not covered.
        at: Now, in UTC.
        owners: By region and id the tags, by another record, of what is asked for should it have lost them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    sightings: list[Sighting] = []
    covered, problems = set(), []
    for region in regions:
        try:
            client = session.client("ec2", region_name=region)
            seen = list(_in_region(client, region, _tagged(course), catalog, at))
            seen += _untagged(client, region, (owners or {}).get(region, {}), seen, catalog, at)
        except (BotoCoreError, ClientError) as error:
            problems.append(f"{region}: not seen: {error}")
            continue
        sightings += seen
        covered.add(region)
    return Observation(
        source=Source.EC2, at=at, covered=frozenset(covered), sightings=tuple(sightings), problems=tuple(problems)
    )


def _tagged(course: str) -> Filters:
    return {ids: [{"Name": "tag:course", "Values": [course]}] for ids in PREFIXES}


def _untagged(
    client: Any,
    region: str,
    owners: Mapping[str, Mapping[str, str]],
    seen: Iterable[Sighting],
    catalog: Catalog,
    at: datetime,
) -> Iterator[Sighting]:
    """What lost its tags, with those on record; what bears another course's is that course's."""
    missing = sorted(owners.keys() - {each.resource_id for each in seen})
    for ids, prefix in PREFIXES.items():
        asked = [each for each in missing if each.startswith(prefix)]
        for start in range(0, len(asked), BATCH):
            filters = {ids: [{"Name": ids, "Values": asked[start : start + BATCH]}]}
            for each in _in_region(client, region, filters, catalog, at):
                if "course" not in each.tags:
                    yield replace(each, tags=owners[each.resource_id])


def _in_region(client: Any, region: str, filters: Filters, catalog: Catalog, at: datetime) -> Iterator[Sighting]:
    if MACHINE in filters:
        yield from _instances(client, region, filters[MACHINE], catalog, at)
    if DISK in filters:
        for page in client.get_paginator("describe_volumes").paginate(Filters=filters[DISK]):
            for volume in page["Volumes"]:
                yield _volume(volume, region, catalog)
    if ADDRESS in filters:
        for address in client.describe_addresses(Filters=filters[ADDRESS])["Addresses"]:
            yield _address(address, region)


def _instances(
    client: Any, region: str, filters: list[dict[str, Any]], catalog: Catalog, at: datetime
) -> Iterator[Sighting]:
    for page in client.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in BEFORE:
                    yield _instance(instance, region, catalog, at)


def _address(address: Mapping[str, Any], region: str) -> Sighting:
    return Sighting(
        resource_id=address["AllocationId"],
        kind=Kind.ADDRESS,
        tags=_tags(address),
        start=None,
        shape="elastic address",
        region=region,
    )


def _instance(instance: Mapping[str, Any], region: str, catalog: Catalog, at: datetime) -> Sighting:
    shape, spot = instance["InstanceType"], instance.get("InstanceLifecycle") == "spot"
    row = catalog.row(RowKind.MACHINE, CLOUD, region, shape)
    start = instance["LaunchTime"].astimezone(UTC)
    return Sighting(
        resource_id=instance["InstanceId"],
        kind=Kind.COMPUTE,
        tags=_tags(instance),
        start=start,
        end=None if instance["State"]["Name"] in PAID else max(_ended(instance) or at, start),
        shape=f"{shape} spot" if spot else shape,
        region=region,
        price=Price(usd_per_hour=row.usd(spot=spot), as_of=row.as_of) if row else UNKNOWN,
    )


def _ended(instance: Mapping[str, Any]) -> datetime | None:
    """When an instance stopped being billed; None where EC2 does not say."""
    match = TRANSITION.search(instance.get("StateTransitionReason") or "")
    return datetime.fromisoformat(match.group(1)).replace(tzinfo=UTC) if match else None


def _volume(volume: Mapping[str, Any], region: str, catalog: Catalog) -> Sighting:
    row = catalog.row(RowKind.DISK, CLOUD, region, volume["VolumeType"])
    usd = row.on_demand_usd if row else None
    return Sighting(
        resource_id=volume["VolumeId"],
        kind=Kind.DISK,
        tags=_tags(volume),
        start=volume["CreateTime"].astimezone(UTC),
        shape=f"{volume['VolumeType']} {volume['Size']} GB",
        region=region,
        price=Price(usd_per_hour=usd * Decimal(volume["Size"]) / HOURS_PER_MONTH, as_of=row.as_of)
        if row and usd is not None
        else UNKNOWN,
    )


def _tags(resource: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", ())}
