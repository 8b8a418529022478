"""A thing in a cloud account that carries tags, as a scan saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a scan looks for, in the order in which it is ended: first what makes or holds others."""

    LAUNCH_TEMPLATE = "launch template"
    LOAD_BALANCER = "load balancer"
    INSTANCE = "instance"
    ADDRESS = "address"
    NETWORK_INTERFACE = "network interface"
    VOLUME = "volume"
    FILE_SYSTEM = "file system"
    IMAGE = "image"
    SNAPSHOT = "snapshot"
    UPLOAD = "multipart upload"
    SECURITY_GROUP = "security group"


BY_THE_HOUR = (Kind.INSTANCE, Kind.VOLUME, Kind.ADDRESS)
"""What a launch makes that is billed while it is there."""
RUNNING = ("pending", "running")
ENDING = "shutting-down"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One thing that is there."""

    kind: Kind
    id: str
    region: str
    tags: dict[str, str]
    created: datetime | None = None
    """When it was first made, and not when it was started last; None where the cloud does not say."""
    shape: str = ""
    """Type of an instance, GB of a volume."""
    state: str = ""
    used_by: frozenset[str] = field(default_factory=frozenset)
    """Ids of what holds it, and must be gone before it can go."""
    disks: frozenset[str] = field(default_factory=frozenset)
    """Ids of the volumes that end with a machine."""
    zone: str = ""
    public_ip: str = ""
    private_ip: str = ""
    spot: bool = False
    key: str = field(init=False, repr=False, compare=False)
    """What no other resource of the account is called; a sweep asks for it again and again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.region}/{self.kind}/{self.id}")

    @property
    def cloud(self) -> str:
        """Where it is, by SkyPilot's name; an id of Google's begins with its project."""
        return "gcp" if self.id.startswith("projects/") else "aws"

    @property
    def runs(self) -> bool:
        """Whether it is a machine that can be stopped."""
        return self.kind is Kind.INSTANCE and self.state in RUNNING

    def __str__(self) -> str:
        told = ", ".join(part for part in (self.shape, self.state) if part)
        return f"{self.kind} {self.id}{f' ({told})' if told else ''}"


def tags_of(described: dict[str, Any], key: str = "Tags") -> dict[str, str]:
    """The tags in what the cloud answers."""
    return {tag["Key"]: tag["Value"] for tag in described.get(key) or ()}
