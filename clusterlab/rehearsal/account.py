"""The emulated account as its owner sees it: what was launched there, and what is billed.

All of it asks the cloud through boto3, and takes nobody else's word.
"""

from __future__ import annotations

from collections.abc import Iterable

from clusterlab.reaper.resource import BY_THE_HOUR, ENDING, Kind, Resource
from clusterlab.rehearsal.steps import StepError

OF_THE_CLASS = "infra"
"""The label `lab` of what the class itself stands on, which no launch made; `infra/naming.py` gives it."""
LEFT = (*BY_THE_HOUR, Kind.LAUNCH_TEMPLATE, Kind.LOAD_BALANCER, Kind.FILE_SYSTEM, Kind.UPLOAD)
"""What must not be left of a launch; the emulated account begins with images, snapshots and a security group."""


def billed(kinds: Iterable[Kind] = BY_THE_HOUR) -> list[Resource]:
    """All that launches made and that costs money by the hour, or all of other kinds, by the reaper's own scan.

    Raises:
        StepError: the account cannot be looked at.
    """
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.question import Question
    from clusterlab.reaper.scan import scan

    cloud = Cloud()
    found = scan(cloud, [cloud.home], Question(courses=None), kinds=kinds)
    if found.failed:
        raise StepError("; ".join(map(str, found.failed)))
    return [each for each in found.resources if each.state != ENDING and not _of_the_class(each)]


def launched() -> list[Resource]:
    """Every machine that was launched, those that have ended too."""
    import boto3

    from clusterlab.reaper.listing import instance_of

    ec2 = boto3.client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate()
    reservations = (reservation for page in pages for reservation in page["Reservations"])
    found = [instance_of(each, ec2.meta.region_name) for one in reservations for each in one["Instances"]]
    return [each for each in found if not _of_the_class(each)]


def preempt(instance_id: str) -> None:
    """Take a machine back, as the cloud does with one that was bought on the spot market."""
    import boto3

    boto3.client("ec2").terminate_instances(InstanceIds=[instance_id])


def _of_the_class(thing: Resource) -> bool:
    # An upload has its bucket's tags, whoever began it.
    return thing.kind is not Kind.UPLOAD and thing.tags.get("lab") == OF_THE_CLASS
