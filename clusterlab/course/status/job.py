"""A job of the class, as the Ray that it was submitted to, or Slurm, knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

QUEUE = "queue"
"""Where a job waits that `clusterlab submit` has not given to Ray yet."""


class State(StrEnum):
    """How far it came; what is over is no job any more."""

    RUNNING = "running"
    WAITING = "waiting"
    """For what it asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One that runs or waits."""

    id: str
    where: str
    """The address of its Ray, the name of its centre, or `QUEUE`."""
    tags: Mapping[str, str]
    state: State
    since: datetime | None
    """Since when it runs, or since it was submitted where its source says no more."""
    gpus: Decimal | None
    """That it holds now; None where its source says none."""
    cpus: Decimal | None

    @property
    def student(self) -> str | None:
        """Whose it is."""
        return self.tags.get("student")

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "id": self.id,
            "where": self.where,
            "state": self.state,
            **{name: self.tags.get(name) for name in ("student", "team", "lab", "run")},
            "since": self.since.isoformat() if self.since else None,
            "gpus": None if self.gpus is None else f"{self.gpus:f}",
            "cpus": None if self.cpus is None else f"{self.cpus:f}",
        }
