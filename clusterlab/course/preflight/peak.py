"""How many vCPUs the schedule asks for at once, when every student works in the same class hour.

The rule: in the week in which a lab is due each student runs it once, all of them at the same time, each on as many
machines as it has nodes. A lab without a due date may fall into any week and counts in each. Labs of one week add up.
`least` has each lab on the cheapest machine that it accepts anywhere, as SkyPilot's optimizer chooses; `most` on the
dearest of the cloud, as a launch may find when the others are full. Both go by the price on demand; a machine without
one counts as the dearest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from clusterlab.catalog import Row
from clusterlab.course.preflight.ec2_quota import Quota, quota_of
from clusterlab.course.preflight.subject import Work

Place = tuple[str, Quota]
"""A region and a quota there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a week asks of one quota in one region."""

    vcpus: Decimal = Decimal(0)
    week: date | None = None
    """Its Monday; None where no lab has a due date."""
    parts: tuple[str, ...] = ()
    """Of which labs, on which machines."""

    def __str__(self) -> str:
        week = f" in the week of {self.week}" if self.week else ""
        return f"{self.vcpus.normalize():f} vCPUs{week} ({', '.join(self.parts)})"


def least(works: Iterable[Work], students: int) -> dict[Place, Need]:
    """Of AWS's quotas, where each lab takes the cheapest machine of all clouds."""
    return _peak(works, students, lambda work: min(work.machines, key=by_price, default=None))


def most(works: Iterable[Work], students: int) -> dict[Place, Need]:
    """The same where each takes the dearest of AWS's machines."""
    return _peak(works, students, lambda work: max(in_aws(work), key=by_price, default=None))


def in_aws(work: Work) -> list[Row]:
    """The machines of AWS that a lab can become."""
    return [row for row in work.machines if row.cloud == "aws"]


def uncounted(works: Iterable[Work]) -> Iterator[Row]:
    """Machines of AWS whose vCPUs or whose quota nobody here knows."""
    for work in works:
        for row in in_aws(work):
            if row.vcpus is None or quota_of(row.name, spot=work.use_spot) is None:
                yield row


def by_price(row: Row) -> tuple[bool, Decimal, Decimal, str, str]:
    """The cheap first; of those that cost as much the smaller."""
    usd = row.on_demand_usd
    return usd is None, usd or Decimal(0), row.vcpus or Decimal(0), row.name, row.region


def _peak(works: Iterable[Work], students: int, choose: Callable[[Work], Row | None]) -> dict[Place, Need]:
    """By place the week that asks for most."""
    chosen = [(work, row) for work in works if (row := choose(work)) is not None and row.cloud == "aws"]
    weeks: list[date | None] = [*dict.fromkeys(_week(work.due) for work, _ in chosen if work.due)]
    found: dict[Place, Need] = {}
    for week in weeks or [None]:
        there = ((work, row) for work, row in chosen if work.due is None or _week(work.due) == week)
        for place, parts in _by_place(there, students).items():
            need = Need(
                vcpus=sum((vcpus for vcpus, _ in parts), Decimal(0)), week=week, parts=tuple(t for _, t in parts)
            )
            found[place] = max(found.get(place, Need()), need, key=lambda each: each.vcpus)
    return found


def _by_place(chosen: Iterable[tuple[Work, Row]], students: int) -> dict[Place, list[tuple[Decimal, str]]]:
    found = defaultdict(list)
    for work, row in chosen:
        quota = quota_of(row.name, spot=work.use_spot)
        if quota is not None and row.vcpus is not None:
            number = students * work.lab.num_nodes
            found[row.region, quota].append((number * row.vcpus, f"{work.lab.name}: {number} x {row.name}"))
    return found


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())
