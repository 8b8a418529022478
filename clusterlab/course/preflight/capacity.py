"""Whether AWS offers the class's machines where its network has subnets; that one is free nobody knows before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clusterlab.catalog import Row
from clusterlab.course.preflight.check import Check, failed, not_asked, passed, warned
from clusterlab.course.preflight.peak import in_aws
from clusterlab.course.preflight.subject import Subject
from clusterlab.reaper.cloud import ERRORS, Cloud, code_of, told

NAME, PROBE = "capacity", "dry run"
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""Where Amazon says which AMI is its newest; what is on it does not matter to a dry run."""
ALLOWED = "DryRunOperation"
"""How EC2 refuses what it would have done."""
Zones = Mapping[str, Mapping[str, frozenset[str]]]
"""By region and machine the zones of the class in which it is offered."""


def look(subject: Subject, cloud: Cloud, *, probe: bool = False) -> Iterator[Check]:
    """Each region of AWS, and each lab that would find no machine; with `probe` a dry run of each machine too."""
    rows = subject.machines("aws")
    regions = dict.fromkeys(row.region for row in rows)
    zones: dict[str, Mapping[str, frozenset[str]]] = {}
    for region in regions:
        names = [row.name for row in rows if row.region == region]
        try:
            zones[region] = _zones(cloud.client("ec2", region), names, _places(subject, region))
        except ERRORS as error:
            yield not_asked(NAME, f"{region}: {told(error)}", "mend that, or look at EC2's instance types by hand")
            continue
        yield _of_region(subject, region, zones[region])
        if probe:
            yield from _probed(cloud, region, names)
    yield from _stranded(subject, zones)


def _places(subject: Subject, region: str) -> tuple[str, ...]:
    return tuple(f"{region}{zone}" for zone in subject.cluster.network.zones)


def _zones(client: Any, names: Sequence[str], places: Sequence[str]) -> Mapping[str, frozenset[str]]:
    asked = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": sorted(set(names))}]
    )
    found: dict[str, set[str]] = defaultdict(set)
    for page in asked:
        for each in page["InstanceTypeOfferings"]:
            found[each["InstanceType"]].add(each["Location"])
    return {name: frozenset(found[name]).intersection(places) for name in names}


def _of_region(subject: Subject, region: str, zones: Mapping[str, frozenset[str]]) -> Check:
    nowhere = sorted(name for name, places in zones.items() if not places)
    number = len(_places(subject, region))
    few = [
        f"{name} in {', '.join(sorted(places))}" for name, places in sorted(zones.items()) if 0 < len(places) < number
    ]
    among = f"zones {', '.join(_places(subject, region))}"
    if nowhere:
        todo = f"take them out of `instances`, or give `network.zones` of {subject.cluster.path} others"
        return warned(NAME, f"{region}: in none of the {among}: {', '.join(nowhere)}", todo)
    only = f"; only {'; '.join(few)}" if few else ""
    return passed(NAME, f"{region}: {len(zones)} machines offered in the {among}{only}")


def _stranded(subject: Subject, zones: Zones) -> Iterator[Check]:
    """Labs for which there is nothing at any place; one that could not be asked may have it."""
    for work in subject.works:
        if work.missing:
            seen = f"{work.lab.name} accepts {'; '.join(work.missing)}"
            todo = f"have `infra` or `instances` of {subject.cluster.path} allow one"
            yield warned(NAME, seen, todo) if work.machines else failed(NAME, seen, todo)
        if work.machines and not any(_may_be_had(row, zones) for row in work.machines):
            names = dict.fromkeys(row.placed for row in in_aws(work))
            seen = f"{work.lab.name}: none of its machines is offered ({', '.join(names)})"
            yield failed(NAME, seen, f"allow it another machine, zone or region in {subject.cluster.path}")


def _may_be_had(row: Row, zones: Zones) -> bool:
    return row.cloud != "aws" or row.region not in zones or bool(zones[row.region][row.name])


def _probed(cloud: Cloud, region: str, names: Sequence[str]) -> Iterator[Check]:
    """Ask EC2 whether it would launch, by these credentials; capacity it says only when it does."""
    try:
        image = cloud.client("ssm", region).get_parameter(Name=IMAGE)["Parameter"]["Value"]
        refused = [f"{name}: {why}" for name in dict.fromkeys(names) if (why := _refusal(cloud, region, name, image))]
    except ERRORS as error:
        yield not_asked(PROBE, f"{region}: {told(error)}", "mend that, or leave --probe out")
        return
    if refused:
        yield failed(PROBE, f"{region}: {'; '.join(refused)}", "have the account's owner allow it, or ask for quota")
    else:
        yield passed(PROBE, f"{region}: EC2 would launch {', '.join(dict.fromkeys(names))} for these credentials")


def _refusal(cloud: Cloud, region: str, name: str, image: str) -> str:
    """Why EC2 would not launch it; empty where it would."""
    client = cloud.client("ec2", region)
    try:
        client.run_instances(DryRun=True, InstanceType=name, ImageId=image, MinCount=1, MaxCount=1)
    except client.exceptions.ClientError as error:
        return "" if code_of(error) == ALLOWED else told(error)
    return "it answered as if it had launched"
