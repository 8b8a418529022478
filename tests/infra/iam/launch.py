"""The requests that one call of AWS is to IAM: a launch as SkyPilot makes it, and what is done to a machine later."""

from __future__ import annotations

from collections.abc import Mapping

from tests.infra.iam.evaluator import Request
from tests.infra.iam.roles import ACCOUNT, COURSE, HERE, SCOPE

LEASE, LATER = "20261125t183000z", "20261219t183000z"
TAGS = {"course": COURSE, "lab": "qlora", "student": "ana", "run": "0a1b2c3d4e5f", "lease-until": LEASE}
"""What the course's policy gives a launch of Ana's."""
BENS = TAGS | {"student": "ben"}
NOW = "2026-11-25T10:00:00Z"


def launch(
    tags: Mapping[str, str] = TAGS,
    *,
    disk_tags: Mapping[str, str] | None = None,
    instance_type: str = "g6.xlarge",
    region: str = HERE,
    tokens: str | None = "required",
    disk_gib: int = 256,
    role: str = SCOPE.role("node"),
    network: str = COURSE,
    template: bool = False,
    spot: bool = False,
    now: str = NOW,
) -> tuple[Request, ...]:
    """All that `RunInstances` asks IAM; `tokens` None where the call does not say which IMDS it wants."""
    disk_tags = tags if disk_tags is None else disk_tags
    place = {"aws:RequestedRegion": region, "aws:CurrentTime": now}
    if template:
        place["ec2:LaunchTemplate"] = arn("launch-template", "lt-0abc", region)
    theirs = place | {"aws:ResourceTag/course": network}
    machine = place | tagging(tags) | {"ec2:InstanceType": instance_type}
    if tokens is not None:
        machine["ec2:MetadataHttpTokens"] = tokens
    parts: dict[str, Mapping[str, str | list[str]]] = {
        f"arn:aws:ec2:{region}::image/ami-0abc": place,
        arn("subnet", "subnet-0abc", region): theirs,
        arn("security-group", "sg-0abc", region): theirs,
        arn("network-interface", "eni-0abc", region): place,
        arn("instance", "i-0new", region): machine,
        arn("volume", "vol-0new", region): place | tagging(disk_tags) | {"ec2:VolumeSize": str(disk_gib)},
    }
    if template:
        parts[arn("launch-template", "lt-0abc", region)] = place
    if spot:
        parts[arn("spot-instances-request", "sir-0abc", region)] = place
    made = {"instance": ("i-0new", tags), "volume": ("vol-0new", disk_tags)}
    return (
        *(Request(action="ec2:RunInstances", resource=resource, context=told) for resource, told in parts.items()),
        *(
            Request(
                action="ec2:CreateTags",
                resource=arn(kind, name, region),
                context=tagging(given) | {"ec2:CreateAction": "RunInstances"},
            )
            for kind, (name, given) in made.items()
            if given
        ),
        Request(action="iam:PassRole", resource=role, context={"iam:PassedToService": "ec2.amazonaws.com"}),
    )


def retag(given: Mapping[str, str], has: Mapping[str, str] = TAGS, kind: str = "instance") -> tuple[Request, ...]:
    """Tags are written on what is there and has such tags."""
    return (Request(action="ec2:CreateTags", resource=arn(kind, "x-0old"), context=tagging(given) | tagged(has)),)


def on_machine(action: str, has: Mapping[str, str] = TAGS, region: str = HERE) -> tuple[Request, ...]:
    """An action of EC2 on a machine that has such tags."""
    return (Request(action=f"ec2:{action}", resource=arn("instance", "i-0old", region), context=tagged(has)),)


def tagging(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """What IAM hears of tags that a call gives."""
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags)} | {f"aws:RequestTag/{key}": value for key, value in tags.items()}


def tagged(tags: Mapping[str, str]) -> dict[str, str]:
    """What IAM hears of tags that a resource has."""
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def arn(kind: str, name: str, region: str = HERE) -> str:
    return f"arn:aws:ec2:{region}:{ACCOUNT}:{kind}/{name}"
