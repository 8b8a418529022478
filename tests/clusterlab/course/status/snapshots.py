"""Statuses that the tests make, of what sources said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.cost.total import Total
from clusterlab.course.status.gpu import Gpu, join, with_looks
from clusterlab.course.status.job import Job, State
from clusterlab.course.status.looks import Low
from clusterlab.course.status.machine import Holding, holdings
from clusterlab.course.status.meeting import Calendar
from clusterlab.course.status.part import Name, Part
from clusterlab.course.status.shared_ray import RayLook
from clusterlab.course.status.skypilot import SkyCluster
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.spend import Books, Purse
from clusterlab.ledger.budget import Scope
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Scan
from clusterlab.tags import LEASE_FORMAT

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CATALOG = Catalog.load()
RAY = "http://127.0.0.1:8265"


def machine(number: int = 1, *, hours: float | None = 2, **changes: Any) -> Resource:
    """Ana's, with an L4, made at eleven, with a lease of so many hours from noon."""
    tags = {"course": "llm-2026", "student": "ana", "lab": "qlora", "run": f"r{number}"} | changes.pop("tags", {})
    if hours is not None:
        tags["lease-until"] = (NOON + timedelta(hours=hours)).strftime(LEASE_FORMAT)
    usual: dict[str, Any] = {
        "kind": Kind.INSTANCE,
        "id": f"i-{number:017x}",
        "region": "us-east-1",
        "tags": tags,
        "created": NOON - timedelta(hours=1),
        "shape": "g6.xlarge",
        "state": "running",
        "private_ip": f"10.0.{number // 250}.{number % 250}",
    }
    return Resource(**usual | changes)


def held(*resources: Resource) -> tuple[Holding, ...]:
    """As a scan saw them at noon."""
    return holdings(Scan(resources=resources, looks=()), CATALOG, granted=timedelta(hours=12), now=NOON)


def gpu(number: int = 1, percent: int | None = 50, **changes: Any) -> Gpu:
    """Of the machine of that number, as Ray measures it, with a job of ana's."""
    usual: dict[str, Any] = {
        "machine": machine(number).private_ip,
        "index": 0,
        "uuid": f"GPU-{number}",
        "count": 1,
        "model": "NVIDIA L4",
        "jobs": (f"raysubmit_{number}",),
        "students": ("ana",),
        "percent": percent,
        "memory_mb": (512, 23034),
        "billed": False,
        "usd_per_hour": None,
    }
    return Gpu(**usual | changes)


def job(number: int = 1, **changes: Any) -> Job:
    usual: dict[str, Any] = {
        "id": f"raysubmit_{number}",
        "where": RAY,
        "tags": {"student": "ana", "lab": "qlora"},
        "state": State.RUNNING,
        "since": NOON - timedelta(minutes=50),
        "gpus": Decimal(1),
        "cpus": Decimal(4),
    }
    return Job(**usual | changes)


def purse(name: str = "ana", spent: object = 5, cap: object = 20, scope: Scope = Scope.STUDENT) -> Purse:
    usd = Decimal(str(spent))
    limit = None if cap is None else Decimal(str(cap))
    return Purse(scope=scope, name=name, cap_usd=limit, held_usd=usd, spent=Total(usd=usd))


def sky(**changes: Any) -> SkyCluster:
    usual: dict[str, Any] = {
        "name": "ana-qlora",
        "name_on_cloud": "ana-qlora-1a2b",
        "status": "UP",
        "where": "aws/us-east-1",
        "student": "ana",
        "lab": "qlora",
        "user": "ana",
        "nodes": 1,
        "resources": "1x g6.xlarge",
        "autostop_minutes": 10,
        "down": True,
    }
    return SkyCluster(**usual | changes)


def snapshot(
    *,
    machines: Iterable[Resource] | None = (),
    gpus: Iterable[Gpu] | None = (),
    jobs: Iterable[Job] = (),
    purses: Iterable[Purse] | None = (),
    clusters: Iterable[SkyCluster] | None = None,
    lows: dict[str, Low] | None = None,
    **changes: Any,
) -> Snapshot:
    """A status at noon; None is what could not be looked at."""
    whole = purse("llm-2026", 12, 100, Scope.COURSE)
    there = None if machines is None else held(*machines)
    ray = None if gpus is None else (RayLook(address=RAY, jobs=tuple(jobs), gpus=tuple(gpus)),)
    parts: dict[Name, Part[Any]] = {
        Name.AWS: part(Name.AWS, there),
        Name.GOOGLE: part(Name.GOOGLE, None, asked=False),
        Name.SKYPILOT: part(Name.SKYPILOT, None if clusters is None else tuple(clusters), asked=clusters is not None),
        Name.RAY: part(Name.RAY, ray),
        Name.SLURM: part(Name.SLURM, None, asked=False),
        Name.LEDGER: part(Name.LEDGER, None if purses is None else Books(purses=(whole, *purses), elsewhere=())),
    }
    found = None if there is None and ray is None else join((each for each in gpus or ()), there or ())
    usual: dict[str, Any] = {
        "course": "llm-2026",
        "at": NOON,
        "calendar": Calendar(now=None, next=None),
        "parts": parts,
        "gpus": None if found is None else with_looks(found, lows or {}),
    }
    return Snapshot(**usual | changes)


def part(name: Name, value: Any, *, asked: bool = True) -> Part[Any]:
    problems = () if value is not None else ("it is away",) if asked else ("nobody named it",)
    return Part(name=name, value=value, problems=problems, asked=asked, needed=asked)


def full(words: str = "ana", num: int = 1) -> Snapshot:
    """One with something of every kind, in which every name is, or has, these words."""
    tags = {"student": words, "lab": words, "run": words, "skypilot-cluster-name": words}
    machines = [machine(each, hours=-each, tags=tags) for each in range(1, num + 1)]
    machines += [
        machine(900, tags=tags, state="stopped", shape=words),
        machine(901, tags=tags, hours=None, kind=Kind.VOLUME, shape="100 GB", state="in-use"),
    ]
    low = Low(since=NOON - timedelta(minutes=20), last=NOON, num_looks=9)
    idle = gpu(1, 1, model=words, jobs=(words,), students=(words, f"{words}2"))
    placed = f"{machine(1).id}/GPU-1/{words}"
    return snapshot(
        course=words,
        machines=machines,
        gpus=[idle, gpu(2, None, jobs=(), students=()), gpu(77, 3, jobs=(words,)), gpu(78, 90), gpu(79, 0, jobs=())],
        jobs=[job(1, id=words, where=words, tags={"student": words, "lab": words}), job(2, state=State.WAITING)],
        purses=[purse(words, 21), purse(words, 17, scope=Scope.TEAM), purse("eva", 3, None)],
        clusters=[sky(name=words, name_on_cloud="else", status=words), sky(where="gcp/us-east1", student=None)],
        lows={placed: low, f"{gpu(77).machine}/GPU-77/{words}": low},
        notes=(words,),
    )
