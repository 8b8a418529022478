"""The requests that one call of AWS is to IAM: a launch as SkyPilot makes it, and what is done to a machine later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.iam.evaluator import Request
from tests.infra.iam.roles import ACCOUNT, COURSE, HERE, SCOPE

LEASE, LATER = "20261125t183000z", "20261219t183000z"
TAGS = {"course": COURSE, "lab": "qlora", "student": "ana", "run": "0a1b2c3d4e5f", "lease-until": LEASE}
"""What the course's policy gives a launch of Ana's."""
BENS = TAGS | {"student": "ben"}
NOW = "2026-11-25T10:00:00Z"


Told = Mapping[str, str | list[str]]
"""What IAM hears of a request beside its action and its resource."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A call of `RunInstances`."""

    tags: Mapping[str, str]
    disk_tags: Mapping[str, str] | None = None
    """None for the machine's."""
    instance_type: str = "g6.xlarge"
    region: str = HERE
    tokens: str | None = "required"
    """None where the call does not say which IMDS it wants."""
    disk_gib: int = 256
    encrypted: bool = True
    role: str = SCOPE.role("node")
    network: str = COURSE
    """The course that subnet and security group are tagged with."""
    template: bool = False
    spot: bool = False
    now: str = NOW

    def requests(self) -> tuple[Request, ...]:
        """All that it asks IAM: for each resource that it makes or uses, for the tags, and for the role."""
        parts = self._used() | self._made()
        runs = [Request(action="ec2:RunInstances", resource=name, context=told) for name, told in parts.items()]
        passed = {"iam:PassedToService": "ec2.amazonaws.com"}
        return (*runs, *self._tagged(), Request(action="iam:PassRole", resource=self.role, context=passed))

    def _used(self) -> dict[str, Told]:
        place, theirs = self._place(), self._place() | {"aws:ResourceTag/course": self.network}
        used: dict[str, Told] = {f"arn:aws:ec2:{self.region}::image/ami-0abc": place}
        used |= {self._arn("subnet", "subnet-0abc"): theirs, self._arn("security-group", "sg-0abc"): theirs}
        return used | ({self._template(): place} if self.template else {})

    def _made(self) -> dict[str, Told]:
        place, disk = (
            self._place(),
            {"ec2:VolumeSize": str(self.disk_gib), "ec2:Encrypted": str(self.encrypted).lower()},
        )
        machine = {"ec2:InstanceType": self.instance_type}
        if self.tokens is not None:
            machine["ec2:MetadataHttpTokens"] = self.tokens
        made: dict[str, Told] = {
            self._arn("network-interface", "eni-0abc"): place,
            self._arn("instance", "i-0new"): place | machine | tagging(self.tags),
            self._arn("volume", "vol-0new"): place | disk | tagging(self._disk_tags()),
        }
        return made | ({self._arn("spot-instances-request", "sir-0abc"): place} if self.spot else {})

    def _tagged(self) -> Iterator[Request]:
        for kind, name, tags in (("instance", "i-0new", self.tags), ("volume", "vol-0new", self._disk_tags())):
            if tags:
                told = tagging(tags) | {"ec2:CreateAction": "RunInstances"}
                yield Request(action="ec2:CreateTags", resource=self._arn(kind, name), context=told)

    def _place(self) -> dict[str, str | list[str]]:
        place: dict[str, str | list[str]] = {"aws:RequestedRegion": self.region, "aws:CurrentTime": self.now}
        return place | ({"ec2:LaunchTemplate": self._template()} if self.template else {})

    def _disk_tags(self) -> Mapping[str, str]:
        return self.tags if self.disk_tags is None else self.disk_tags

    def _template(self) -> str:
        return self._arn("launch-template", "lt-0abc")

    def _arn(self, kind: str, name: str) -> str:
        return arn(kind, name, self.region)


def launch(tags: Mapping[str, str] = TAGS, **more: Any) -> tuple[Request, ...]:
    """The requests of a `Launch`, with all of Ana's tags where no others are given."""
    return Launch(tags=tags, **more).requests()


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
