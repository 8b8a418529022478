"""A ticket: what one submission wants of the shared cluster, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from clusterlab.cost.interval import HOUR

MICROSECOND = timedelta(microseconds=1)


class State(StrEnum):
    """How far a submission is."""

    WAITING = "waiting"
    GRANTED = "granted"
    """It may go to Ray, and holds its GPUs from here on."""
    RUNNING = "running"
    """Ray has it."""
    ENDED = "ended"
    WITHDRAWN = "withdrawn"
    """By its student."""
    EXPIRED = "expired"
    """Nobody was heard of it for too long, before Ray had it."""


LIVE = (State.WAITING, State.GRANTED, State.RUNNING)
HOLDING = (State.GRANTED, State.RUNNING)
"""The states in which it holds GPUs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """One submission."""

    id: str
    """A label; the tag `run` and Ray's id of the job too."""
    course: str
    student: str
    lab: str
    fingerprint: str
    """Of what is asked: the same student's same question is the same run."""
    folder: str
    """The name of the run's folder, below `runs/<lab>/` here and on the node."""
    gpus: Decimal
    """GPUs that it holds while it runs; machines, where the cluster has no GPU."""
    hours: Decimal
    """For how long at most, as the lab's sidecar says: what is kept free of a limit until it has ended."""
    due: datetime | None
    """Until when the lab is handed in."""
    state: State
    joined: datetime
    beat: datetime
    """When its client was last heard of."""
    started: datetime | None = None
    """Since when it holds its GPUs."""
    ended: datetime | None = None

    @property
    def asked_gpu_hours(self) -> Decimal:
        """What it may take at most."""
        return self.gpus * self.hours

    def used_gpu_hours(self, since: datetime, now: datetime) -> Decimal:
        """What of its GPUs it has held between two instants."""
        if self.started is None:
            return Decimal(0)
        return self.gpus * hours_between(max(self.started, since), min(self.ended or now, now))


def hours_between(start: datetime, end: datetime) -> Decimal:
    """0 where the end is before the start."""
    return Decimal(max(end - start, timedelta()) // MICROSECOND) / (HOUR // MICROSECOND)
