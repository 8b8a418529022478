"""Ray's own view of a cluster: what it has, and which submitted job holds how much of it now.

Asked over HTTP, at the address that `RAY_ADDRESS` takes: the Jobs API, and the State API of `ray list --detail`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from clusterlab.errors import UnreachableError

SECONDS = 20
"""How long the dashboard may be silent."""
MOST = 10_000
"""What Ray lists at most of a kind."""
SUPERVISOR = "_ray_internal_job_actor_"
"""How the name of the actor begins that holds what a job's entrypoint asked for; the job's id follows."""
OVER = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What one submitted job holds."""

    job: str
    """Its submission id."""
    tags: Mapping[str, str]
    """Its metadata, as `jobs.submit` writes it."""
    gpus: Decimal
    cpus: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class RayState:
    """A cluster at one instant."""

    gpus: Decimal
    """Of all living nodes."""
    cpus: Decimal
    num_nodes: int
    """Those that live."""
    holdings: tuple[Holding, ...]


NOTHING = RayState(gpus=Decimal(0), cpus=Decimal(0), num_nodes=0, holdings=())


def ask(address: str, token: str | None) -> RayState:
    """Ask a dashboard, `http://host:port`.

    Raises:
        UnreachableError: it does not answer, refuses the token, or lists more than `MOST` of something.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    submitted = get(address, "/api/jobs/", headers)
    found = {kind: listed(address, kind, headers) for kind in ("nodes", "actors", "tasks", "placement_groups")}
    return state(submitted, **found)


def state(
    submitted: Iterable[Mapping[str, Any]],
    *,
    nodes: Iterable[Mapping[str, Any]],
    actors: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
    placement_groups: Iterable[Mapping[str, Any]],
) -> RayState:
    """Sum what is held by job.

    A placement group is held as a whole, whatever runs in it; beside it count living actors and running tasks.
    """
    jobs = {job["submission_id"]: job for job in submitted if job["submission_id"] and job["status"] not in OVER}
    of_driver = {job["job_id"]: name for name, job in jobs.items() if job["job_id"]}
    held: dict[str, list[Mapping[str, float]]] = {name: [] for name in jobs}
    for driver, name, resources in _held(actors, tasks, placement_groups):
        owner = name.removeprefix(SUPERVISOR) if name.startswith(SUPERVISOR) else of_driver.get(driver)
        if owner in held:
            held[owner].append(resources)
    totals = [node["resources_total"] for node in nodes if node["state"] == "ALIVE"]
    return RayState(
        gpus=_sum(totals, "GPU"),
        cpus=_sum(totals, "CPU"),
        num_nodes=len(totals),
        holdings=tuple(
            Holding(
                job=name, tags=jobs[name]["metadata"] or {}, gpus=_sum(resources, "GPU"), cpus=_sum(resources, "CPU")
            )
            for name, resources in held.items()
        ),
    )


def _held(
    actors: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
    placement_groups: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    """Driver, name and resources of all that holds some."""
    for group in placement_groups:
        if group["state"] == "CREATED":
            for bundle in group["bundles"]:
                yield group["creator_job_id"], "", bundle["unit_resources"]
    for actor in actors:
        if actor["state"] == "ALIVE" and not actor["placement_group_id"]:
            yield actor["job_id"], actor["name"] or "", actor["required_resources"]
    for task in tasks:
        if task["state"].startswith("RUNNING") and task["type"] == "NORMAL_TASK" and not task["placement_group_id"]:
            yield task["job_id"], "", task["required_resources"]


def _sum(resources: Iterable[Mapping[str, float]], name: str) -> Decimal:
    return sum((Decimal(str(each.get(name, 0))) for each in resources), Decimal(0))


def listed(address: str, kind: str, headers: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """All that the State API lists of a kind.

    Raises:
        UnreachableError: it does not answer, or leaves some out.
    """
    path = f"/api/v0/{kind}?detail=1&limit={MOST}"
    answer = get(address, path, headers)
    found = answer["data"]["result"]
    if not answer["result"] or found["total"] > len(found["result"]):
        raise UnreachableError(f"{address}{path}: lists {len(found['result'])} of {found['total']}: {answer['msg']}")
    result: list[Mapping[str, Any]] = found["result"]
    return result


def get(address: str, path: str, headers: Mapping[str, str]) -> Any:
    """What a dashboard answers, read as JSON.

    Raises:
        UnreachableError: it does not answer, or with another status.
    """
    url = urlsplit(address)
    connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise UnreachableError(f"{address}{path}: answers {answer.status} {answer.reason}")
        return json.load(answer)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise UnreachableError(f"{address}{path}: {error}") from error
    finally:
        connection.close()
