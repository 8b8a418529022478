"""A class at one instant, as pure data: the terminal, the page and the JSON show this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from clusterlab.cost.money import CURRENCY
from clusterlab.cost.total import Total
from clusterlab.course.status.gpu import IDLE_FOR, LOW_PERCENT, Gpu, State
from clusterlab.course.status.job import Job
from clusterlab.course.status.looks import LONGEST_GAP
from clusterlab.course.status.meeting import Calendar
from clusterlab.course.status.need import Need, needs
from clusterlab.course.status.part import CLOUDS, Name, Part

if TYPE_CHECKING:
    from clusterlab.course.status.machine import Holding
    from clusterlab.course.status.shared_ray import RayLook
    from clusterlab.course.status.skypilot import SkyCluster
    from clusterlab.course.status.spend import Books


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """All that is shown; what could not be looked at is None in it, and never empty."""

    course: str
    at: datetime
    calendar: Calendar
    parts: Mapping[Name, Part[Any]]
    gpus: tuple[Gpu, ...] | None
    """None where neither the cloud nor a Ray could be looked at."""
    notes: tuple[str, ...] = ()
    """What kept the looks at GPUs from being kept."""

    @property
    def holdings(self) -> tuple[Holding, ...] | None:
        """Machines, disks and addresses, as the clouds have them; None where no cloud could be looked at."""
        found = [each for each in map(self._value, CLOUDS) if each is not None]
        return tuple(each for holdings in found for each in holdings) if found else None

    @property
    def clouds_blind(self) -> bool:
        """Whether a cloud, or a part of one, could not be looked at."""
        return any(self.parts[name].blind for name in CLOUDS)

    @property
    def machines(self) -> list[Holding] | None:
        """Of them the machines."""
        return None if self.holdings is None else [each for each in self.holdings if each.is_machine]

    @property
    def sky(self) -> tuple[SkyCluster, ...] | None:
        """SkyPilot's clusters."""
        return cast("tuple[SkyCluster, ...] | None", self._value(Name.SKYPILOT))

    @property
    def books(self) -> Books | None:
        """What the ledger says."""
        return cast("Books | None", self._value(Name.LEDGER))

    @property
    def jobs(self) -> tuple[Job, ...] | None:
        """Ray's and Slurm's, and those that wait to go to Ray; None where neither of both could be looked at."""
        rays: tuple[RayLook, ...] | None = self._value(Name.RAY)
        slurm: tuple[Job, ...] | None = self._value(Name.SLURM)
        if rays is None and slurm is None:
            return None
        waiting = self.books.waiting if self.books else ()
        return (*(job for each in rays or () for job in each.jobs), *(slurm or ()), *waiting)

    @property
    def per_hour(self) -> Total | None:
        """What the machines that run cost an hour."""
        if self.machines is None:
            return None
        unseen = Total(num_unknown=int(self.clouds_blind))
        return Total.of(each.usd_per_hour for each in self.machines) + unseen

    @property
    def idle_per_hour(self) -> Total | None:
        """What GPUs cost an hour that are held and do nothing; incomplete where some are not measured."""
        if self.gpus is None:
            return None
        unmeasured = sum(each.count for each in self.gpus if each.state is State.UNMEASURED)
        idle = Total.of(each.usd_per_hour for each in self.gpus if each.state is State.IDLE)
        return idle + Total(num_unknown=unmeasured)

    @property
    def gpu_states(self) -> Counter[State] | None:
        """How many GPUs there are of each state."""
        if self.gpus is None:
            return None
        found: Counter[State] = Counter()
        for each in self.gpus:
            found[each.state] += each.count
        return found

    @property
    def leases(self) -> list[Holding] | None:
        """What has a lease, by when it ends: first what is past."""
        if self.holdings is None:
            return None
        return sorted(self.holdings, key=lambda each: (each.lease.until, each.cluster, each.resource.id))

    @property
    def needs(self) -> list[Need]:
        """What somebody has to do something about, the worst first."""
        return needs(self.parts.values(), self.leases or (), self.books, self.gpus or ())

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts; null is what could not be looked at."""
        return {
            "course": self.course,
            "at": self.at.isoformat(),
            "currency": CURRENCY,
            "calendar": self.calendar.as_json(),
            "needs_somebody": any(each.serious for each in self.needs),
            "needs": [each.as_json() for each in self.needs],
            "looked_at": [each.as_json() for each in self.parts.values()],
            "notes": list(self.notes),
            "usd_per_hour": self.per_hour and self.per_hour.as_json(),
            "idle_usd_per_hour": self.idle_per_hour and self.idle_per_hour.as_json(),
            "idle_rule": {
                "below_percent": LOW_PERCENT,
                "minutes": IDLE_FOR.total_seconds() / 60,
                "longest_minutes_between_looks": LONGEST_GAP.total_seconds() / 60,
            },
            "resources": _all(self.holdings),
            "clusters": _all(self.sky),
            "jobs": _all(self.jobs),
            "gpus": _all(self.gpus),
            "budgets": _all(self.books and self.books.purses),
            "in_use_elsewhere": _all(self.books and self.books.elsewhere),
        }

    def _value(self, name: Name) -> Any:
        part = self.parts.get(name)
        return part.value if part else None


def usd_of(holdings: list[Holding]) -> Decimal | None:
    """What machines cost an hour; None where a price is not known."""
    total = Total.of(each.usd_per_hour for each in holdings if each.is_machine)
    return total.usd if total.complete else None


def _all(found: Any) -> list[dict[str, Any]] | None:
    return None if found is None else [each.as_json() for each in found]
