"""The two clocks of a simulation: the cloud's, which is right, and the server's, which may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import simpy


@dataclass(kw_only=True)
class Clock:
    """Both, by the events of SimPy."""

    start: datetime
    env: simpy.Environment = field(default_factory=simpy.Environment)
    skew: timedelta = timedelta()
    """By how much the server's is ahead."""

    def now(self) -> datetime:
        """What the cloud's says, in whole seconds."""
        return self.start + timedelta(seconds=round(self.env.now))

    def server(self) -> datetime:
        """What the server's says."""
        return self.now() + self.skew
