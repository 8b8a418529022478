"""How each kind of resource is listed: in large pages, with its tags, by the describe calls of its service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from clusterlab.reaper.cloud import code_of
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import ENDING, RUNNING, Kind, Resource, tags_of

PAGE = 1000
"""The largest that EC2 and S3 take; others take less."""
BATCH = 200
"""Values that a filter of EC2 takes."""
STATES = (*RUNNING, ENDING, "stopping", "stopped")
"""Of a machine that is not gone."""
EVERYWHERE = "aws-global"
"""Where buckets are, which are listed from one place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One kind of resource, and who lists it."""

    kind: Kind
    service: str
    find: Callable[[Any, str, Question], Iterable[Resource]]
    everywhere: bool = False
    """Asked once for all regions."""


def _pages(client: Any, operation: str, key: str, size: int = PAGE, **arguments: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments):
        yield from page.get(key, ())


def _instances(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    filters = [*question.filters("instance-id"), {"Name": "instance-state-name", "Values": list(STATES)}]
    for reservation in _pages(ec2, "describe_instances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            yield instance_of(instance, region)


def instance_of(instance: dict[str, Any], region: str) -> Resource:
    """A machine out of what `describe_instances` says of it."""
    return Resource(
        kind=Kind.INSTANCE,
        id=instance["InstanceId"],
        region=region,
        tags=tags_of(instance),
        created=_first_launch(instance),
        shape=instance["InstanceType"],
        state=instance["State"]["Name"],
        disks=frozenset(disk["VolumeId"] for disk in _disks(instance) if disk.get("DeleteOnTermination")),
        zone=instance["Placement"]["AvailabilityZone"],
        public_ip=instance.get("PublicIpAddress", ""),
        private_ip=instance.get("PrivateIpAddress", ""),
        spot=instance.get("InstanceLifecycle") == "spot",
    )


def _first_launch(instance: dict[str, Any]) -> datetime:
    """When a machine was made: its launch time begins anew with each start, when its first disk came does not."""
    cards = [card.get("Attachment", {}) for card in instance.get("NetworkInterfaces", ())]
    parts = [*_disks(instance), *cards]
    times: list[datetime] = [instance["LaunchTime"]]
    times += [part["AttachTime"] for part in parts if "AttachTime" in part]
    return min(times)


def _disks(instance: dict[str, Any]) -> list[dict[str, Any]]:
    return [disk["Ebs"] for disk in instance.get("BlockDeviceMappings", ()) if "Ebs" in disk]


def _volumes(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for volume in _pages(ec2, "describe_volumes", "Volumes", Filters=question.filters("volume-id")):
        yield Resource(
            kind=Kind.VOLUME,
            id=volume["VolumeId"],
            region=region,
            tags=tags_of(volume),
            created=volume["CreateTime"],
            shape=f"{volume['Size']} GB",
            state=volume["State"],
            used_by=frozenset(each["InstanceId"] for each in volume["Attachments"] if each.get("InstanceId")),
        )


def _addresses(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for address in ec2.describe_addresses(Filters=question.filters("allocation-id"))["Addresses"]:
        holder = address.get("InstanceId") or address.get("NetworkInterfaceId")
        yield Resource(
            kind=Kind.ADDRESS,
            id=address["AllocationId"],
            region=region,
            tags=tags_of(address),
            shape=address["PublicIp"],
            state="associated" if holder else "allocated",
            used_by=frozenset([holder] if holder else []),
        )


def _network_interfaces(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for card in _pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=question.filters()):
        attachment = card.get("Attachment") or {}
        # One that a service of the cloud made for itself goes with what it was made for.
        holder = attachment.get("InstanceId") or (card.get("RequesterManaged") and card.get("RequesterId"))
        yield Resource(
            kind=Kind.NETWORK_INTERFACE,
            id=card["NetworkInterfaceId"],
            region=region,
            tags=tags_of(card, "TagSet"),
            shape=card["InterfaceType"],
            state=card["Status"],
            used_by=frozenset([holder] if holder else []),
        )


def _security_groups(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    pages = _pages(ec2, "describe_security_groups", "SecurityGroups", Filters=question.filters())
    # A network's own group goes with the network, and not before.
    groups = {group["GroupId"]: group for group in pages if group["GroupName"] != "default"}
    users = _users(ec2, list(groups))
    for name, group in groups.items():
        yield Resource(
            kind=Kind.SECURITY_GROUP,
            id=name,
            region=region,
            tags=tags_of(group),
            shape=group["GroupName"],
            used_by=frozenset(users[name]),
        )


def _users(ec2: Any, groups: list[str]) -> dict[str, set[str]]:
    """By security group the machines, and the network interfaces of no machine, that are in it: anybody's."""
    users: dict[str, set[str]] = {group: set() for group in groups}
    for start in range(0, len(groups), BATCH):
        filters = [{"Name": "group-id", "Values": groups[start : start + BATCH]}]
        for card in _pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=filters):
            holder = (card.get("Attachment") or {}).get("InstanceId") or card["NetworkInterfaceId"]
            for group in card["Groups"]:
                users.setdefault(group["GroupId"], set()).add(holder)
    return users


def _launch_templates(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for template in _pages(ec2, "describe_launch_templates", "LaunchTemplates", 200, Filters=question.filters()):
        yield Resource(
            kind=Kind.LAUNCH_TEMPLATE,
            id=template["LaunchTemplateId"],
            region=region,
            tags=tags_of(template),
            created=template["CreateTime"],
            shape=template["LaunchTemplateName"],
        )


def _images(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for image in _pages(ec2, "describe_images", "Images", Owners=["self"], Filters=question.filters()):
        yield Resource(
            kind=Kind.IMAGE,
            id=image["ImageId"],
            region=region,
            tags=tags_of(image),
            created=datetime.fromisoformat(image["CreationDate"]),
            shape=image.get("Name", ""),
            state=image["State"],
        )


def _snapshots(ec2: Any, region: str, question: Question) -> Iterator[Resource]:
    for snapshot in _pages(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=question.filters()):
        yield Resource(
            kind=Kind.SNAPSHOT,
            id=snapshot["SnapshotId"],
            region=region,
            tags=tags_of(snapshot),
            created=snapshot["StartTime"],
            shape=f"{snapshot['VolumeSize']} GB",
            state=snapshot["State"],
        )


def _balancers(elb: Any, region: str, question: Question) -> Iterator[Resource]:
    del question  # What a balancer is tagged with is asked for afterwards.
    found = {each["LoadBalancerArn"]: each for each in _pages(elb, "describe_load_balancers", "LoadBalancers", 400)}
    for arn, tags in _tags_by_twenties(elb, list(found), "ResourceArns", "ResourceArn"):
        balancer = found[arn]
        yield Resource(
            kind=Kind.LOAD_BALANCER,
            id=arn,
            region=region,
            tags=tags,
            created=balancer["CreatedTime"],
            shape=balancer["Type"],
            state=balancer["State"]["Code"],
        )


def _classic_balancers(elb: Any, region: str, question: Question) -> Iterator[Resource]:
    del question
    pages = _pages(elb, "describe_load_balancers", "LoadBalancerDescriptions", 400)
    found = {each["LoadBalancerName"]: each for each in pages}
    for name, tags in _tags_by_twenties(elb, list(found), "LoadBalancerNames", "LoadBalancerName"):
        made = found[name]["CreatedTime"]
        yield Resource(kind=Kind.LOAD_BALANCER, id=name, region=region, tags=tags, created=made, shape="classic")


def _tags_by_twenties(elb: Any, ids: list[str], argument: str, key: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Twenty at a time, as many as the call takes."""
    for start in range(0, len(ids), 20):
        for each in elb.describe_tags(**{argument: ids[start : start + 20]})["TagDescriptions"]:
            yield each[key], tags_of(each)


def _file_systems(efs: Any, region: str, question: Question) -> Iterator[Resource]:
    del question
    for system in _pages(efs, "describe_file_systems", "FileSystems", 100):
        yield Resource(
            kind=Kind.FILE_SYSTEM,
            id=system["FileSystemId"],
            region=region,
            tags=tags_of(system),
            created=system["CreationTime"],
            shape=f"{system['SizeInBytes']['Value']} bytes",
            state=system["LifeCycleState"],
        )


def _uploads(s3: Any, region: str, question: Question) -> Iterator[Resource]:
    """Uploads that nobody completed: their parts are billed, and no listing of a bucket shows them."""
    for bucket in _pages(s3, "list_buckets", "Buckets"):
        name = bucket["Name"]
        tags = {} if name in question.skipped else _bucket_tags(s3, name)
        if not question.wants(tags):
            continue
        # The bucket's lease says nothing of an upload.
        tags = {key: value for key, value in tags.items() if key != "lease-until"}
        for upload in _pages(s3, "list_multipart_uploads", "Uploads", Bucket=name):
            yield Resource(
                kind=Kind.UPLOAD,
                id=f"s3://{name}/{upload['Key']}?uploadId={upload['UploadId']}",
                region=region,
                tags=tags,
                created=upload["Initiated"],
            )


def _bucket_tags(s3: Any, name: str) -> dict[str, str]:
    try:
        return tags_of(s3.get_bucket_tagging(Bucket=name), "TagSet")
    except ClientError as error:
        # Gone, or never tagged: nobody's. Anything else leaves open whose it is.
        if code_of(error) in ("NoSuchTagSet", "NoSuchBucket"):
            return {}
        raise


LISTINGS = (
    Listing(kind=Kind.LAUNCH_TEMPLATE, service="ec2", find=_launch_templates),
    Listing(kind=Kind.LOAD_BALANCER, service="elbv2", find=_balancers),
    Listing(kind=Kind.LOAD_BALANCER, service="elb", find=_classic_balancers),
    Listing(kind=Kind.INSTANCE, service="ec2", find=_instances),
    Listing(kind=Kind.ADDRESS, service="ec2", find=_addresses),
    Listing(kind=Kind.NETWORK_INTERFACE, service="ec2", find=_network_interfaces),
    Listing(kind=Kind.VOLUME, service="ec2", find=_volumes),
    Listing(kind=Kind.FILE_SYSTEM, service="efs", find=_file_systems),
    Listing(kind=Kind.IMAGE, service="ec2", find=_images),
    Listing(kind=Kind.SNAPSHOT, service="ec2", find=_snapshots),
    Listing(kind=Kind.UPLOAD, service="s3", find=_uploads, everywhere=True),
    Listing(kind=Kind.SECURITY_GROUP, service="ec2", find=_security_groups),
)
