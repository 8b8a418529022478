"""SkyPilot's own record of its clusters, for clouds that are not asked themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.catalog import Kind as RowKind
from clusterlab.cost.interval import Kind, Source
from clusterlab.errors import MissingError
from clusterlab.metering.observation import UNKNOWN, Observation, Price, Sighting

ASKED_THEMSELVES = {"aws", "slurm"}
"""Where a closer source says the same: counted here too, it would be paid for twice."""
UNBILLED = {"kubernetes", "ssh"}
INSTALL = "pip install 'clusterlab[sky]'"
DAYS = 90
"""How far back SkyPilot is asked."""


def records() -> list[dict[str, Any]]:
    """What `sky cost-report` knows.

    Raises:
        MissingError: SkyPilot is not installed.
    """
    try:
        import sky
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
    found: list[dict[str, Any]] = sky.get(sky.cost_report(days=DAYS))
    return found


def observe(records: Iterable[Mapping[str, Any]], catalog: Catalog, *, course: str, at: datetime) -> Observation:
    """Read SkyPilot's records of the course's clusters.

    A cluster is one resource, with all its nodes; it keeps its last interval and forgets none, so every region that it
    names is covered.
    """
    sightings = [each for record in records for each in _cluster(record, catalog) if each.tags.get("course") == course]
    covered = frozenset(sighting.region for sighting in sightings)
    return Observation(source=Source.SKY, at=at, covered=covered, sightings=tuple(sightings))


def _cluster(record: Mapping[str, Any], catalog: Catalog) -> Iterator[Sighting]:
    """Each time that a cluster was up."""
    resources, nodes = record["resources"], record["num_nodes"] or 1
    cloud = str(resources.cloud).lower()
    if cloud in ASKED_THEMSELVES | UNBILLED:
        return
    row = catalog.row(RowKind.MACHINE, cloud, resources.region, resources.instance_type)
    usd = row.usd(spot=resources.use_spot) if row else None
    price = Price(usd_per_hour=usd * nodes, as_of=row.as_of) if row and usd is not None else UNKNOWN
    spot = " spot" if resources.use_spot else ""
    for start, end in record["usage_intervals"] or ():
        yield Sighting(
            resource_id=f"{record['name']}/{record['cluster_hash']}/{int(start)}",
            kind=Kind.COMPUTE,
            tags=resources.labels or {},
            start=_instant(start),
            end=None if end is None else _instant(end),
            shape=f"{nodes} x {resources.instance_type}{spot}",
            region=f"{cloud}/{resources.region}",
            price=price,
        )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
