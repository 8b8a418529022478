"""What is due for a resource: nothing, a warning, a stop, or its end; decided by leases, scans and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clusterlab.lease import Lease
from clusterlab.reaper.resource import Resource


class Step(StrEnum):
    """What a sweep does with a resource."""

    LEASED = "in its lease"
    KEPT = "kept"
    WARN = "warn"
    """Seen over its lease for the first time."""
    WAIT = "wait"
    """Seen again, but too soon after."""
    STOP = "stop"
    GRACE = "grace"
    """Stopped, or nothing that can be stopped; its end is due later."""
    DOWN = "down"
    IN_USE = "in use"
    """Its end is due, but something holds it that stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How fast one step follows the other."""

    granted: timedelta
    """The lease of a launch."""
    age: timedelta
    """Between the scan that sees a resource over its lease first and the first that may touch it; above 0."""
    grace: timedelta
    """Between stop and down."""
    ended: bool = False
    """Whether the course is over, and every lease with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What earlier scans know of a resource."""

    first: datetime
    over: datetime | None = None
    """When it was first seen over its lease."""
    due: datetime | None = None
    """When its stop was due; the grace runs from here, however often somebody starts it again."""

    def until(self, now: datetime) -> Sighting:
        """This, without what has not happened yet: whoever wrote that had another clock."""
        return Sighting(
            first=min(self.first, now),
            over=self.over if self.over and self.over <= now else None,
            due=self.due if self.over and self.over <= now and self.due and self.due <= now else None,
        )


def decide(
    resource: Resource, lease: Lease, seen: Sighting | None, now: datetime, rules: Rules
) -> tuple[Step, Sighting]:
    """The step that is due now, and what the next scan is to know."""
    seen = (seen or Sighting(first=now)).until(now)
    if now <= lease.until and not rules.ended:
        return Step.LEASED, Sighting(first=seen.first)
    if seen.over is None:
        return Step.WARN, Sighting(first=seen.first, over=now)
    if now - seen.over < rules.age:
        return Step.WAIT, seen
    due = seen.due or now
    known = Sighting(first=seen.first, over=seen.over, due=due)
    # A spot machine cannot be stopped, and its job goes on elsewhere; running through the grace, it would be billed.
    if now - due >= rules.grace or (resource.runs and resource.spot):
        return Step.DOWN, known
    return (Step.STOP if resource.runs else Step.GRACE), known
