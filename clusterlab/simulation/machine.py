"""A machine of the emulated cloud, its disk, and what the cloud bills for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.catalog import Row

RUNNING, STOPPED, TERMINATED = "running", "stopped", "terminated"


@dataclass(kw_only=True, slots=True)
class Disk:
    """A machine's volume, or one that a machine left."""

    id: str
    tags: Mapping[str, str]
    gb: int
    made: datetime
    holder: str | None
    until: datetime
    """When its lease ends, by what was granted and not by what its tags say now."""
    shown: dict[str, Any] | None = None
    """As the cloud describes it, until something of it changes: a round asks several times."""


@dataclass(kw_only=True, slots=True)
class Machine:
    """One instance."""

    id: str
    row: Row
    spot: bool
    tags: Mapping[str, str]
    made: datetime
    launched: datetime
    """When it was started last."""
    disk: Disk
    keeps_disk: bool
    until: datetime
    """As its disk's."""
    refusals: int
    """How often the cloud refuses its end yet."""
    state: str = RUNNING
    ended: datetime | None = None
    """When it was stopped or ended last."""
    shown: dict[str, Any] | None = None
    """As its disk's."""


@dataclass(kw_only=True, slots=True)
class Use:
    """What the cloud itself bills: one resource from one instant on."""

    tags: Mapping[str, str]
    usd_per_hour: Decimal
    end: datetime | None = None

    def usd(self, start: datetime, now: datetime) -> Decimal:
        """What it has cost until now."""
        seconds = Decimal(((self.end or now) - start) // timedelta(seconds=1))
        return seconds * self.usd_per_hour / 3600
