"""Who is asked how a class stands, each beside the others: AWS, SkyPilot, Ray, Slurm and the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster, Mode
from clusterlab.course.status import shared_ray, skypilot
from clusterlab.course.status.job import Job, State
from clusterlab.course.status.part import Asked, Name, NotAsked
from clusterlab.errors import INSTALL_AWS, ClusterlabError, InputError, MissingError, Problem
from clusterlab.lease import granted_lease
from clusterlab.ledger.location import VARIABLE, named, open_ledger
from clusterlab.ray_address import ADDRESS_VARIABLE, given_token, url_of

if TYPE_CHECKING:
    from clusterlab.course.status.machine import Holding
    from clusterlab.course.status.spend import Books
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.scan import Scan

Problems = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Of one class."""

    cluster: Cluster
    catalog: Catalog
    rays: tuple[str, ...] = ()
    """Addresses of dashboards."""
    centre: Path | None = None
    """The file of a centre whose Slurm is asked."""
    cloud: Callable[[], Cloud] | None = None
    """The account; None for the one whose credentials boto3 finds."""

    def asked(self, now: datetime) -> list[Asked[Any]]:
        """What each of them is asked, and whether the class is not seen without it."""
        clouds = {each.cloud for each in self.cluster.infra}
        budget = self.cluster.budget
        shared = self.cluster.mode is Mode.SHARED
        return [
            Asked(name=Name.AWS, ask=lambda: self._aws(now), needed="aws" in clouds),
            Asked(name=Name.GOOGLE, ask=lambda: self._google(now), needed="gcp" in clouds),
            Asked(name=Name.SKYPILOT, ask=self._skypilot, needed=not clouds <= {"aws", "gcp"}),
            Asked(name=Name.RAY, ask=self._ray, needed=shared or bool(self.rays)),
            Asked(name=Name.SLURM, ask=lambda: self._slurm(now), needed=False),
            Asked(name=Name.LEDGER, ask=self._ledger, needed=bool(budget.course_usd or budget.student_usd)),
        ]

    def _aws(self, now: datetime) -> tuple[tuple[Holding, ...], Problems]:
        if "aws" not in {each.cloud for each in self.cluster.infra}:
            raise NotAsked("the class has no place there")
        account = self.cloud() if self.cloud else _account()
        from clusterlab.reaper.question import Question
        from clusterlab.reaper.resource import BY_THE_HOUR
        from clusterlab.reaper.scan import scan

        question = Question(courses=frozenset([self.cluster.course]))
        seen = scan(account, account.regions(), question, kinds=BY_THE_HOUR)
        return self._there(seen, now)

    def _google(self, now: datetime) -> tuple[tuple[Holding, ...], Problems]:
        if "gcp" not in {each.cloud for each in self.cluster.infra}:
            raise NotAsked("the class has no place there")
        from clusterlab.course.provision import google_of
        from clusterlab.google.scan import scan

        compute = google_of(self.cluster)
        if compute is None:
            raise NotAsked("the class's file names no project, `gcp`")
        return self._there(scan(compute, self.cluster.course), now)

    def _there(self, seen: Scan, now: datetime) -> tuple[tuple[Holding, ...], Problems]:
        from clusterlab.course.status.machine import holdings, problems

        if seen.failed and len(seen.failed) == len(seen.looks):
            raise ClusterlabError("\n".join(problems(seen)))
        return holdings(seen, self.catalog, granted=granted_lease(), now=now), problems(seen)

    def _skypilot(self) -> tuple[tuple[skypilot.SkyCluster, ...], Problems]:
        return skypilot.ask(self.cluster.course), ()

    def _ray(self) -> tuple[tuple[shared_ray.RayLook, ...], Problems]:
        if not self.rays:
            raise NotAsked(f"{ADDRESS_VARIABLE} is not set; it, or --ray, names the dashboard, http://host:port")
        found, problems = [], []
        for each in self.rays:
            try:
                found.append(shared_ray.ask(each, given_token(os.environ)))
            except ClusterlabError as error:
                problems.append(str(error))
        if not found:
            raise ClusterlabError("\n".join(problems))
        return tuple(found), tuple(problems)

    def _slurm(self, now: datetime) -> tuple[tuple[Job, ...], Problems]:
        if self.centre is None:
            raise NotAsked("--slurm names the centre's file")
        from clusterlab.metering import slurm
        from clusterlab.slurm.centre import Centre

        centre = Centre.load(self.centre, self.catalog)
        clusters = slurm.course_clusters(slurm.skypilot_status(), course=self.cluster.course)
        seen = slurm.observe(slurm.records(centre.login), clusters, centre, at=now)
        return tuple(
            Job(
                id=each.resource_id,
                where=centre.name,
                tags=each.tags,
                state=State.RUNNING,
                since=each.start,
                gpus=None,
                cpus=None,
            )
            for each in seen.sightings
            if each.end is None
        ), seen.problems

    def _ledger(self) -> tuple[Books, Problems]:
        if named() is None:
            raise NotAsked(f"{VARIABLE} is not set")
        with closing(open_ledger()) as ledger:
            from clusterlab.course.status.spend import read
            from clusterlab.ledger.budget import Scope

            try:
                students = self.cluster.students()
            except InputError:
                # The ledger knows who used something, whoever the roster is.
                students = ()
            names = {Scope.STUDENT: students, Scope.TEAM: tuple(self.cluster.teams)}
            return read(ledger, self.cluster.course, names, self.cluster.limits), ()


def check_addresses(given: list[str] | None) -> tuple[str, ...]:
    """The dashboards that are named, else the one of `RAY_ADDRESS`.

    Raises:
        InputError: one is no `http://host:port`.
    """
    path = "--ray" if given else ADDRESS_VARIABLE
    asked = given or [each for each in [os.environ.get(ADDRESS_VARIABLE)] if each]
    found = {each: _address(each) for each in asked}
    problems = [
        Problem(path=path, message=f"{each!r}; allowed: a dashboard, http://host:port")
        for each, address in found.items()
        if address is None
    ]
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(each for each in found.values() if each))


def _address(text: str) -> str | None:
    """A dashboard that can be asked; None where it is none: whoever has one behind TLS goes by a tunnel."""
    try:
        found = url_of(text)
    except InputError:
        return None
    return found if found.startswith("http:") else None


def _account() -> Cloud:
    try:
        from botocore.config import Config

        from clusterlab.reaper.cloud import Cloud
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL_AWS}` installs it") from error
    # Somebody waits: what does not answer soon is told, and looked at again next time.
    patience = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=20)
    return Cloud(config=patience)
