"""What a fleet asks of SkyPilot: which clusters there are, what is under way, and one more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from clusterlab.errors import ClusterlabError


class Fault(StrEnum):
    """Why something that was asked did not come about."""

    THROTTLED = "throttled"
    """The cloud takes no more calls for now."""
    CAPACITY = "no capacity"
    """No place has such a machine for now."""
    INTERRUPTED = "interrupted"
    """SkyPilot's server ended while it was at it; nothing is known against the launch itself."""
    REFUSED = "refused"
    """By the course's policy: a budget that does not cover it, or a rule."""
    FAILED = "failed"
    """Anything else."""


PASSES = frozenset({Fault.THROTTLED, Fault.CAPACITY, Fault.INTERRUPTED})
"""What may be otherwise in a while, so that it is worth another try."""


class LaunchError(ClusterlabError):
    """Something that was asked did not come about; the text is the reason."""

    def __init__(self, fault: Fault, reason: str) -> None:
        self.fault = fault
        super().__init__(reason)


class Condition(StrEnum):
    """How SkyPilot finds a cluster."""

    UP = "up"
    HALF = "half launched"
    """Begun, and not said to be up; whoever launches it again goes on from there."""
    SICK = "unhealthy"
    """Was up, and SkyPilot no longer reaches all of it."""
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A cluster that is there, by SkyPilot's word."""

    name: str
    condition: Condition
    labels: Mapping[str, str]
    idle_minutes: int | None = None
    """After how many without a job it ends; None for never."""
    down: bool = False
    """Whether it is taken down then, and not stopped only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """A cluster that is to be there."""

    name: str
    task: Mapping[str, Any]
    """As SkyPilot's YAML has it."""
    owner: Mapping[str, str]
    """The labels by which it is known for the class's own, whatever its name."""
    idle_minutes: int
    """How long it waits for a job while the class meets."""
    idle_minutes_after: int
    """And after that."""


class Launcher(Protocol):
    """SkyPilot, or what plays it; requests go on in its server when nobody waits for them.

    Each verb raises `LaunchError` where the request was refused, and `UnreachableError` where nobody answered.
    """

    def clusters(self, *, fresh: bool) -> Sequence[Seen]:
        """All that are there, of everybody.

        With `fresh` those that may have ended by themselves are looked at, which takes SkyPilot some seconds for each;
        else it is what was seen of them at most a few minutes ago.
        """

    def launching(self) -> Mapping[str, str]:
        """The launches that are under way, whoever asked: the request of each by the cluster's name."""

    def launch(self, want: Want) -> str:
        """Ask for a cluster, or for one that was half launched or stopped to be up; returns the request."""

    def end_when_idle(self, name: str, minutes: int) -> str:
        """Ask that a cluster is taken down after so many minutes without a job; returns the request."""

    def end(self, name: str) -> str:
        """Ask that a cluster is taken down; returns the request."""

    def ended(self, requests: Collection[str]) -> Mapping[str, LaunchError | None]:
        """Those of the requests that have ended, with what went wrong; one that nobody knows was interrupted."""
