"""What the course's policy sees of a launch: a stand-in for SkyPilot's task, which takes milliseconds to make.

It has what the policy reads and writes, and nothing else; a test holds it against SkyPilot's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Autostop:
    """When an idle machine ends."""

    idle_minutes: int
    enabled: bool = True
    down: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What is asked of a cloud."""

    accelerators: Mapping[str, int] | None
    cpus: str | None
    memory: str | None
    disk_size: int
    use_spot: bool
    labels: Mapping[str, str]
    autostop_config: Autostop | None
    ports: tuple[str, ...] = ()
    instance_type: str | None = None
    cloud: str | None = None
    region: str | None = None

    def copy(self, *, infra: str | None = None, **changes: Any) -> Resources:
        """The same with changes; `infra` is a cloud and its region."""
        if infra is not None:
            cloud, _, region = infra.partition("/")
            changes |= {"cloud": cloud, "region": region or None}
        return replace(self, **changes)


@dataclass(kw_only=True, slots=True)
class Task:
    """One launch."""

    name: str
    resources: list[Resources]
    envs: dict[str, str]
    num_nodes: int
    run: str
    workdir: str | None = None
    storage_mounts: dict[str, object] = field(default_factory=lambda: {"/course": None})
    """As if the course's bucket were there already, of which there is no need."""

    def update_envs(self, envs: Mapping[str, str]) -> None:
        """Add variables."""
        self.envs |= envs

    def set_resources(self, resources: list[Resources]) -> None:
        """Say anew what is asked of a cloud."""
        self.resources = resources
