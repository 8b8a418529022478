"""One look at the Ray of a shared cluster: what it has, which jobs run, and which are over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clusterlab.submission.arbitration import Capacity


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What Ray says at one instant."""

    gpus: Decimal
    """Of all living nodes; machines, where none has a GPU."""
    of_gpus: bool
    """Whether they are GPUs."""
    held: Mapping[str, Decimal]
    """What of them each submitted job holds, by its id."""
    running: Collection[str]
    """The ids of all jobs that are not over."""
    over: Mapping[str, datetime]
    """When each of the others ended, by id."""

    def capacity(self, tickets: Collection[str]) -> Capacity:
        """With what is held by jobs that are none of these."""
        others = sum((gpus for job, gpus in self.held.items() if job not in tickets), Decimal(0))
        return Capacity(gpus=self.gpus, others=others)
