"""What the terminal and the page have a line for: clusters and leases, put together from what several places said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clusterlab.cost.total import Total
from clusterlab.course.status.machine import CLUSTER_TAG, Holding, clusters
from clusterlab.course.status.part import Name, Part
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.reaper.resource import Kind, Resource

if TYPE_CHECKING:
    from clusterlab.course.status.skypilot import SkyCluster

NOT_KNOWN = "not known"
"""To SkyPilot: whoever made these machines did not make them with its server, or it forgot them."""
NO_MACHINE = "no machine in the cloud"
RUNS = "UP"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRow:
    """Machines that belong together."""

    name: str
    student: str | None
    lab: str | None
    machines: tuple[tuple[int, str, str], ...]
    """How many, of which type, in which state; no state where they run."""
    usd_per_hour: Total | None
    """None where nobody says."""
    sky: str
    """SkyPilot's word for it; empty where SkyPilot was not asked, or it is not SkyPilot's."""
    odd: bool = False
    """Whether the cloud and SkyPilot contradict each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseRow:
    """What of one cluster ends at one instant."""

    until: datetime
    past: bool
    name: str
    student: str | None
    kinds: tuple[tuple[Kind, int], ...]
    why: str


def cluster_rows(snapshot: Snapshot) -> list[ClusterRow] | None:
    """Each cluster, by student; None where neither the cloud nor SkyPilot could be looked at."""
    if snapshot.machines is None and snapshot.sky is None:
        return None
    by_name = {each.name_on_cloud: each for each in snapshot.sky or ()}
    found = clusters(snapshot.machines or ())
    rows = [_of_cloud(name, each, by_name.get(name), snapshot.sky is not None) for name, each in found.items()]
    seen = [cloud for cloud, name in (("aws", Name.AWS), ("gcp", Name.GOOGLE)) if not _missing(snapshot.parts[name])]
    rows += [_of_sky(each, seen) for name, each in by_name.items() if name not in found]
    return sorted(rows, key=lambda each: (each.student is None, each.student or "", each.name))


def lease_rows(snapshot: Snapshot) -> list[LeaseRow] | None:
    """What ends when, first what is past; None where the cloud could not be looked at."""
    if snapshot.leases is None:
        return None
    together: dict[tuple[datetime, str], list[Holding]] = {}
    for each in snapshot.leases:
        together.setdefault((each.lease.until, each.cluster), []).append(each)
    return [_lease(until, name, found) for (until, name), found in together.items()]


def _of_cloud(name: str, found: Sequence[Holding], sky: SkyCluster | None, asked: bool) -> ClusterRow:
    tags = found[0].resource.tags
    lost = asked and sky is None and CLUSTER_TAG in tags
    counts = Counter((each.resource.shape, _state(each.resource)) for each in found)
    return ClusterRow(
        name=sky.name if sky else name,
        student=found[0].student,
        lab=tags.get("lab"),
        machines=tuple((count, shape, state) for (shape, state), count in sorted(counts.items())),
        usd_per_hour=Total.of(each.usd_per_hour for each in found),
        sky=sky.status if sky else NOT_KNOWN if lost else "",
        odd=lost,
    )


def _missing(part: Part[Any]) -> bool:
    return part.value is None or bool(part.problems)


def _of_sky(each: SkyCluster, seen: Sequence[str]) -> ClusterRow:
    """One that no cloud showed: it is in another one, or it is gone."""
    gone = each.where.partition("/")[0] in seen and each.status == RUNS
    return ClusterRow(
        name=each.name,
        student=each.student,
        lab=each.lab,
        machines=((each.nodes, each.where, NO_MACHINE if gone else ""),),
        usd_per_hour=None,
        sky=each.status,
        odd=gone,
    )


def _lease(until: datetime, name: str, found: Sequence[Holding]) -> LeaseRow:
    kinds = Counter(each.resource.kind for each in found)
    return LeaseRow(
        until=until,
        past=found[0].past,
        name=name,
        student=found[0].student,
        kinds=tuple(sorted(kinds.items(), key=lambda pair: list(Kind).index(pair[0]))),
        why="; ".join(_odd_leases(found)),
    )


def _odd_leases(found: Sequence[Holding]) -> Iterator[str]:
    """Why a lease is not what a tag says, once for each reason."""
    yield from sorted({each.lease.why for each in found if ":" in each.lease.why})


def _state(of: Resource) -> str:
    return "" if of.state == "running" else of.state
