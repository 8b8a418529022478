"""What students, machines and clouds do by chance; docs/simulation.md has the source of each number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from clusterlab.lab import Range

EVENING = (1, 1, 1, 0, 0, 0, 0, 1, 2, 4, 6, 6, 5, 5, 6, 7, 8, 8, 8, 9, 10, 10, 7, 3)
"""How often a lab is begun in each hour of the day, as weights."""
LONGEST = timedelta(days=60)
"""A job that hangs ends no sooner than anything that would end it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """Each number of the model; `p_` is how likely something is at one launch, where nothing else is said."""

    days_open: int = 14
    """Before its due date a lab may be begun."""
    mean_days_before_due: float = 2.0
    """Of an exponential distribution, cut off where the lab opens."""
    pace_sigma: float = 0.35
    """Of a log-normal distribution whose median is 1: how much longer one student takes than another."""
    p_wrong: float = 0.02
    """The task breaks a rule; mended, it is launched again."""
    p_small: float = 0.2
    """The lab is done at `small`, on a machine without a GPU."""
    p_spot: float = 0.25
    """A spot machine is asked for, where its price is known."""
    p_full: float = 0.1
    """The cheapest machine is not to be had, and SkyPilot takes the next; and so on."""
    p_broken: float = 0.03
    """The cloud fails after the budget was reserved; half of them try the same run again, the others give up."""
    p_runaway: float = 0.01
    """The job hangs, busy, so that no autostop ends its machine."""
    p_forgotten: float = 0.03
    """Somebody took the autostop away, and forgets the machine."""
    p_lost: float = 0.005
    """The autostop never fires."""
    p_untagged: float = 0.01
    """Somebody edits the tag of the machine's lease: half of them take it away, the others write a far one."""
    p_disk: float = 0.005
    """The machine leaves its disk behind."""
    p_started: float = 0.2
    """Of a machine that the reaper stopped: its student starts it again, hours later."""
    preempted_per_hour: float = 0.05
    """Of a spot machine."""
    p_stubborn: float = 0.03
    """Of a machine: the cloud refuses its end twice."""
    p_failing: float = 0.01
    """Of a look at the cloud: one of its calls fails."""
    hours_between_skews: float = 100.0
    """The server's clock goes wrong, for an hour in the mean; each fourth time by ten minutes, which is too much."""

    def begin(self, chance: Random, due: datetime) -> datetime:
        """When a student begins a lab: rather near its due date than long before, and rather in the evening."""
        limit = 1 - math.exp(-self.days_open / self.mean_days_before_due)
        days = -self.mean_days_before_due * math.log(1 - chance.random() * limit)
        day = (due - timedelta(days=days)).replace(hour=0, minute=0, second=0)
        hour = chance.choices(range(24), EVENING)[0]
        at = day + timedelta(hours=hour, seconds=chance.randrange(3600))
        # What would come too late today was done on the evening before.
        return at if at < due else at - timedelta(days=1)

    def pace(self, chance: Random) -> float:
        """By how much a student takes longer than the lab's sidecar says."""
        return chance.lognormvariate(0, self.pace_sigma)

    def duration(self, chance: Random, hours: Range, pace: float) -> timedelta:
        """How long a job runs: triangular from low to high with its peak at expected, at the student's pace."""
        if chance.random() < self.p_runaway:
            return LONGEST
        drawn = chance.triangular(float(hours.low), float(hours.high), float(hours.expected))
        return timedelta(seconds=max(60, round(drawn * pace * 3600)))

    def preempted(self, chance: Random) -> timedelta:
        """After how long the cloud takes a spot machine back."""
        return timedelta(seconds=round(chance.expovariate(self.preempted_per_hour) * 3600) + 60)
