"""What a class used until its end: EC2 asked by tag, and by the ids on the ledger for what lost its tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clusterlab.cost.interval import OWNERS, Interval, Kind, Source
from clusterlab.metering import ec2, pool, ray
from clusterlab.metering.observation import Observation, Sighting

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.reaper.cloud import Cloud

NUM_THREADS = 8
Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Session:
    """The reaper's cloud as the meter asks it: with its patience."""

    cloud: Cloud

    def client(self, service: str, *, region_name: str) -> Any:
        return self.cloud.client(service, region_name)


def owners(intervals: Iterable[Interval], course: str) -> dict[str, dict[str, dict[str, str]]]:
    """By region and id the tags, by the ledger, of all that EC2 ever had of a course."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for each in intervals:
        if each.source is Source.EC2 and each.course == course:
            tags = {name: str(getattr(each, name)) for name in OWNERS if getattr(each, name)}
            found.setdefault(each.region, {})[each.resource_id] = tags
    return found


def usage(
    cloud: Cloud,
    regions: Sequence[str],
    catalog: Catalog,
    known: Sequence[Interval],
    *,
    course: str,
    at: datetime,
) -> Observation:
    """What EC2 says of a course in all regions; `known` is what is on record of it."""
    asked, session = owners(known, course), _Session(cloud=cloud)

    def look(region: str) -> Observation:
        return ec2.observe(session, catalog, course=course, regions=[region], at=at, owners=asked)

    with ThreadPoolExecutor(NUM_THREADS) as threads:
        seen = list(threads.map(look, regions))
    return Observation(
        source=Source.EC2,
        at=at,
        covered=frozenset().union(*(each.covered for each in seen)),
        sightings=tuple(sighting for each in seen for sighting in each.sightings),
        problems=tuple(problem for each in seen for problem in each.problems),
    )


def pools(seen: Observation, known: Sequence[Interval]) -> Iterator[Observation]:
    """What was seen, with the machines of shared clusters apart: their price is the jobs' on record, not twice paid."""
    names = {each.region for each in known if each.source is Source.RAY}
    machines = {name: [each for each in seen.sightings if _in_pool(each, name)] for name in names}
    pooled = {id(each) for of_pool in machines.values() for each in of_pool}
    yield replace(seen, sightings=tuple(each for each in seen.sightings if id(each) not in pooled))
    looked_at = {each.resource_id for each in known if each.source is Source.RAY}
    for name, of_pool in machines.items():
        # While one runs, only its Ray knows who holds it.
        if not seen.problems and not any(each.end is None for each in of_pool):
            yield pool.observe(name, of_pool, ray.NOTHING, looked_at, at=seen.at)


def _in_pool(each: Sighting, name: str) -> bool:
    return each.kind is Kind.COMPUTE and each.tags.get("run") == name
