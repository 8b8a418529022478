"""How each kind of resource is stopped and ended: in batches where the cloud has them, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError

from clusterlab.reaper.cloud import ERRORS, Cloud, code_of, told
from clusterlab.reaper.resource import ENDING, Kind, Resource

BATCH = 500
"""Machines in one call."""
NUM_THREADS = 8
IN_THE_WAY = (
    "DependencyViolation",
    "FileSystemInUse",
    "IncorrectFileSystemLifeCycleState",
    "IncorrectInstanceState",
    "IncorrectState",
    "ResourceInUse",
    "VolumeInUse",
)
"""Something else must go first, or come to rest: tried again."""
BUSY = (
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "Unavailable",
)
"""What the cloud says of the call and not of what it names, when it was asked again often enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of one call for one resource."""

    resource: Resource
    error: str | None = None
    again: bool = False
    """Whether the same call may go through later."""
    divisible: bool = False
    """Whether a part of what was named may go through now."""


def stop(cloud: Cloud, region: str, machines: Sequence[Resource]) -> list[Answer]:
    """Stop machines of one region."""
    ec2 = cloud.client("ec2", region)
    return list(_batches(machines, lambda ids: ec2.stop_instances(InstanceIds=ids)))


def remove(cloud: Cloud, kind: Kind, region: str, resources: Sequence[Resource]) -> list[Answer]:
    """End resources of one kind and region."""
    if kind is Kind.INSTANCE:
        ec2 = cloud.client("ec2", region)
        alive = [each for each in resources if each.state != ENDING]
        ending = [Answer(resource=each) for each in resources if each.state == ENDING]
        return [*ending, *_batches(alive, lambda ids: ec2.terminate_instances(InstanceIds=ids))]
    if kind is Kind.SECURITY_GROUP:
        _untie(cloud, region, resources)
    # The cloud has no call for several of these.
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return list(pool.map(lambda each: _answer(each, lambda: _SINGLE[kind](cloud, each)), resources))


def _batches(machines: Sequence[Resource], call: Callable[[list[str]], Any]) -> Iterator[Answer]:
    for start in range(0, len(machines), BATCH):
        yield from _batch(machines[start : start + BATCH], call)


def _batch(machines: Sequence[Resource], call: Callable[[list[str]], Any]) -> Iterator[Answer]:
    """One call for all; where one machine spoils it, halves, down to the one that does."""
    answer = _answer(machines[0], lambda: call([each.id for each in machines]))
    if answer.divisible and len(machines) > 1:
        half = len(machines) // 2
        yield from _batch(machines[:half], call)
        yield from _batch(machines[half:], call)
    else:
        for each in machines:
            yield Answer(resource=each, error=answer.error, again=answer.again)


def _answer(resource: Resource, call: Callable[[], Any]) -> Answer:
    try:
        call()
    except ERRORS as error:
        code = code_of(error)
        if "NotFound" in code or code == "NoSuchUpload":
            return Answer(resource=resource, divisible=True)
        if code in BUSY or isinstance(error, BotoCoreError):
            return Answer(resource=resource, error=told(error), again=True)
        return Answer(resource=resource, error=told(error), again="InUse" in code or code in IN_THE_WAY, divisible=True)
    return Answer(resource=resource)


def _remove_balancer(cloud: Cloud, each: Resource) -> None:
    if each.shape == "classic":
        cloud.client("elb", each.region).delete_load_balancer(LoadBalancerName=each.id)
    else:
        cloud.client("elbv2", each.region).delete_load_balancer(LoadBalancerArn=each.id)


def _remove_file_system(cloud: Cloud, each: Resource) -> None:
    """Its mount targets first; it is in use until they are gone."""
    efs = cloud.client("efs", each.region)
    for page in efs.get_paginator("describe_mount_targets").paginate(FileSystemId=each.id):
        for target in page["MountTargets"]:
            efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    efs.delete_file_system(FileSystemId=each.id)


def _abort_upload(cloud: Cloud, each: Resource) -> None:
    where, _, upload = each.id.removeprefix("s3://").rpartition("?uploadId=")
    bucket, _, key = where.partition("/")
    cloud.client("s3", cloud.home).abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def _ec2(operation: str, argument: str) -> Callable[[Cloud, Resource], None]:
    """A call of EC2 that takes one id."""

    def call(cloud: Cloud, each: Resource) -> None:
        getattr(cloud.client("ec2", each.region), operation)(**{argument: each.id})

    return call


_SINGLE: dict[Kind, Callable[[Cloud, Resource], None]] = {
    Kind.LAUNCH_TEMPLATE: _ec2("delete_launch_template", "LaunchTemplateId"),
    Kind.LOAD_BALANCER: _remove_balancer,
    Kind.ADDRESS: _ec2("release_address", "AllocationId"),
    Kind.NETWORK_INTERFACE: _ec2("delete_network_interface", "NetworkInterfaceId"),
    Kind.VOLUME: _ec2("delete_volume", "VolumeId"),
    Kind.FILE_SYSTEM: _remove_file_system,
    Kind.IMAGE: _ec2("deregister_image", "ImageId"),
    Kind.SNAPSHOT: _ec2("delete_snapshot", "SnapshotId"),
    Kind.UPLOAD: _abort_upload,
    Kind.SECURITY_GROUP: _ec2("delete_security_group", "GroupId"),
}


def _untie(cloud: Cloud, region: str, groups: Sequence[Resource]) -> None:
    """Take away the rules by which groups that all end now name each other: no order could end those."""
    ids = {group.id for group in groups}
    ec2 = cloud.client("ec2", region)
    for group in ids if len(ids) > 1 else ():
        # What goes wrong here the group's own end says.
        with suppress(*ERRORS):
            _revoke(ec2, group, ids - {group})


def _revoke(ec2: Any, group: str, others: set[str]) -> None:
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    for revoke, key in (
        (ec2.revoke_security_group_ingress, "IpPermissions"),
        (ec2.revoke_security_group_egress, "IpPermissionsEgress"),
    ):
        rules = list(_naming(described[key], others))
        if rules:
            revoke(GroupId=group, IpPermissions=rules)


def _naming(rules: list[dict[str, Any]], groups: set[str]) -> Iterator[dict[str, Any]]:
    """Those parts of rules that name one of the groups."""
    for rule in rules:
        pairs = [{"GroupId": pair["GroupId"]} for pair in rule["UserIdGroupPairs"] if pair["GroupId"] in groups]
        if pairs:
            ports = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
            yield ports | {"UserIdGroupPairs": pairs}
