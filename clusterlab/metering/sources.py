"""Who is asked what is in use: EC2, SkyPilot, Slurm, and the Ray of a pool."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.errors import INSTALL_AWS, InputError, MissingError, Problem, UnreachableError
from clusterlab.metering import ec2, pool, ray, skypilot, slurm
from clusterlab.metering.observation import Observation, Sighting
from clusterlab.slurm.centre import Centre
from clusterlab.tags import LABEL, LABEL_RULE

ALL = "all"
ADDRESS, TOKEN = "RAY_ADDRESS", "RAY_AUTH_TOKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What was named."""

    course: str
    regions: tuple[str, ...] = ()
    """Of EC2; `all` is every region that the account may use."""
    skypilot: bool = False
    centre: Path | None = None
    """The file of a centre whose Slurm is asked."""
    pool: str | None = None
    """The tag `run` of a shared cluster's machines."""
    catalog: Catalog | None = None
    """The prices; those of this repository where none are given."""

    def check(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            InputError: nothing is named, or a pool without the regions that its machines are in or without its Ray.
        """
        problems = []
        if not LABEL.fullmatch(self.course):
            problems.append(Problem(path="--course", message=f"{self.course!r} is not a label; {LABEL_RULE}"))
        if not (self.regions or self.skypilot or self.centre):
            problems.append(Problem(path="meter", message="nobody to ask; allowed: --aws REGION, --sky, --slurm FILE"))
        if self.pool and not self.regions:
            problems.append(Problem(path="--pool", message="needs --aws with the region of its machines"))
        if self.pool and not os.environ.get(ADDRESS):
            problems.append(Problem(path=ADDRESS, message="not set; allowed: the pool's dashboard, http://host:port"))
        if problems:
            raise InputError(problems)

    def observe(self, known: Callable[[], Sequence[Interval]], at: datetime) -> Iterator[Observation]:
        """Ask each; one that does not answer is an observation with a problem and nothing else.

        Args:
            known: Reads what is on the ledger; asked only for a pool.
            at: Now, in UTC.
        """
        catalog = self.catalog or Catalog.load()
        if self.regions:
            seen = _answered(Source.EC2, at, lambda: self._ec2(catalog, at))
            machines = tuple(each for each in seen.sightings if self._pooled(each))
            yield replace(seen, sightings=tuple(each for each in seen.sightings if each not in machines))
            if self.pool and not seen.problems:
                yield _answered(Source.RAY, at, lambda: _pool(str(self.pool), machines, known(), at))
        if self.skypilot:
            records = skypilot.records
            yield _answered(Source.SKY, at, lambda: skypilot.observe(records(), catalog, course=self.course, at=at))
        if self.centre:
            centre = Centre.load(self.centre, catalog)
            yield _answered(Source.SLURM, at, lambda: self._slurm(centre, at))

    def _ec2(self, catalog: Catalog, at: datetime) -> Observation:
        session = _session()
        regions: Sequence[str] = self.regions
        if ALL in regions:
            regions = ec2.all_regions(session)
        return ec2.observe(session, catalog, course=self.course, regions=regions, at=at)

    def _pooled(self, sighting: Sighting) -> bool:
        return self.pool is not None and sighting.kind is Kind.COMPUTE and sighting.tags.get("run") == self.pool

    def _slurm(self, centre: Centre, at: datetime) -> Observation:
        clusters = slurm.course_clusters(slurm.skypilot_status(), course=self.course)
        return slurm.observe(slurm.records(centre.login), clusters, centre, at=at)


def _answered(source: Source, at: datetime, ask: Callable[[], Observation]) -> Observation:
    try:
        return ask()
    except (UnreachableError, InputError) as error:
        return Observation(source=source, at=at, covered=frozenset(), sightings=(), problems=(str(error),))


def _pool(name: str, machines: Sequence[Sighting], known: Sequence[Interval], at: datetime) -> Observation:
    """While no machine runs there is no Ray to ask."""
    running = any(machine.end is None for machine in machines)
    state = ray.ask(os.environ[ADDRESS].rstrip("/"), os.environ.get(TOKEN)) if running else ray.NOTHING
    before = {each.resource_id for each in known if each.source is Source.RAY}
    return pool.observe(name, machines, state, before, at=at)


def _session() -> Any:
    try:
        import boto3
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL_AWS}` installs it") from error
    return boto3.Session()
