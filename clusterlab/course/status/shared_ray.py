"""What a Ray says of its jobs and of its GPUs: who holds them, and how much of each is used.

Ray's agents measure each GPU by NVML (or its AMD fellow) and the dashboard has it: nothing more runs anywhere. Its API
says null where a GPU does not tell; its Prometheus metrics would say 0 then, and so are not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clusterlab.course.status.gpu import Gpu
from clusterlab.course.status.job import Job, State
from clusterlab.errors import UnreachableError
from clusterlab.metering import ray

STALE_SECONDS = 60
"""How far a node's report may be behind the newest of its cluster: Ray's agents report every few seconds."""
KINDS = ("nodes", "actors", "tasks", "placement_groups")
Records = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RayLook:
    """One cluster."""

    address: str
    jobs: tuple[Job, ...]
    gpus: tuple[Gpu, ...]
    """No price yet: that is the cloud's to say."""


def ask(address: str, token: str | None) -> RayLook:
    """Ask a dashboard, `http://host:port`.

    Raises:
        UnreachableError: it does not answer, refuses the token, or is no such dashboard.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    submitted = ray.get(address, "/api/jobs/", headers)
    listed = {kind: ray.listed(address, kind, headers) for kind in KINDS}
    summary = ray.get(address, "/nodes?view=summary", headers)
    try:
        return read(address, submitted, listed, summary["data"]["summary"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreachableError(f"{address}: answers what no Ray does: {error!r}") from error


def read(
    address: str, submitted: list[Mapping[str, Any]], listed: Mapping[str, Records], nodes: list[Mapping[str, Any]]
) -> RayLook:
    """Read what Ray's APIs answered."""
    state = ray.state(submitted, **listed)
    held = {each.job: each for each in state.holdings}
    known = {each["submission_id"]: each for each in submitted if each["submission_id"] in held}
    jobs = tuple(
        Job(
            id=name,
            where=address,
            tags=held[name].tags,
            state=State.WAITING if each["status"] == "PENDING" else State.RUNNING,
            since=_instant(each.get("start_time")),
            gpus=held[name].gpus,
            cpus=held[name].cpus,
        )
        for name, each in known.items()
    )
    holders = _Holders.of(known, listed)
    students = {each.id: each.student for each in jobs}
    newest = max((float(each.get("now") or 0) for each in nodes), default=0.0)
    gpus = tuple(gpu for node in nodes for gpu in _of_node(node, holders, students, newest))
    return RayLook(address=address, jobs=tuple(sorted(jobs, key=_order)), gpus=gpus)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Holders:
    """Which jobs hold GPUs of which node, and which processes are theirs."""

    of_node: Mapping[str, frozenset[str]]
    of_process: Mapping[tuple[str, int], str]

    @classmethod
    def of(cls, jobs: Mapping[str, Mapping[str, Any]], listed: Mapping[str, Records]) -> _Holders:
        of_driver = {each["job_id"]: name for name, each in jobs.items() if each["job_id"]}
        of_node: dict[str, set[str]] = {}
        of_process: dict[tuple[str, int], str] = {}
        for driver, name, node, gpus, pid in _placed(listed):
            job = name.removeprefix(ray.SUPERVISOR) if name.startswith(ray.SUPERVISOR) else of_driver.get(driver)
            if job is None or job not in jobs or not node:
                continue
            if gpus:
                of_node.setdefault(node, set()).add(job)
            if pid:
                of_process[node, pid] = job
        return cls(of_node={node: frozenset(each) for node, each in of_node.items()}, of_process=of_process)

    def at(self, node: str, processes: Iterable[int]) -> tuple[str, ...]:
        """The jobs whose processes are on a GPU; where none is known, all that hold GPUs of that node."""
        exact = {self.of_process[node, pid] for pid in processes if (node, pid) in self.of_process}
        return tuple(sorted(exact or self.of_node.get(node, frozenset())))


def _placed(listed: Mapping[str, Records]) -> Iterator[tuple[str, str, str | None, float, int]]:
    """Driver, name, node, GPUs and process of all that is somewhere."""
    for group in listed["placement_groups"]:
        if group["state"] == "CREATED":
            for bundle in group["bundles"]:
                yield group["creator_job_id"], "", bundle.get("node_id"), bundle["unit_resources"].get("GPU", 0), 0
    for actor in listed["actors"]:
        if actor["state"] == "ALIVE":
            gpus = (actor["required_resources"] or {}).get("GPU", 0)
            yield actor["job_id"], actor["name"] or "", actor.get("node_id"), gpus, actor.get("pid") or 0
    for task in listed["tasks"]:
        if task["state"].startswith("RUNNING") and task["type"] == "NORMAL_TASK":
            gpus = (task["required_resources"] or {}).get("GPU", 0)
            yield task["job_id"], "", task.get("node_id"), gpus, task.get("worker_pid") or 0


def _of_node(
    node: Mapping[str, Any], holders: _Holders, students: Mapping[str, str | None], newest: float
) -> Iterator[Gpu]:
    """The GPUs of a living node; together, and not measured, where it has some and says nothing of them."""
    raylet = node["raylet"]
    if raylet.get("state") != "ALIVE":
        return
    name, address = raylet["nodeId"], node.get("ip") or raylet["nodeManagerAddress"]
    told = node.get("gpus") or ()
    stale = newest - float(node.get("now") or 0) > STALE_SECONDS
    for each in told:
        pids = [int(process["pid"]) for process in each.get("processesPids") or ()]
        jobs = holders.at(name, pids)
        percent, total = each.get("utilizationGpu"), each.get("memoryTotal")
        yield _gpu(
            address,
            jobs,
            students,
            index=int(each["index"]),
            uuid=str(each.get("uuid") or ""),
            model=str(each.get("name") or ""),
            percent=None if stale or percent is None else int(percent),
            memory_mb=(int(each.get("memoryUsed") or 0), int(total)) if total and not stale else None,
        )
    num = int(raylet.get("resourcesTotal", {}).get("GPU", 0))
    if num > len(told):
        yield _gpu(address, holders.at(name, ()), students, count=num - len(told))


def _gpu(address: str, jobs: tuple[str, ...], students: Mapping[str, str | None], **more: Any) -> Gpu:
    usual: dict[str, Any] = {"index": None, "uuid": "", "count": 1, "model": "", "percent": None, "memory_mb": None}
    whose = tuple(sorted({name for name in map(students.get, jobs) if name}))
    return Gpu(machine=address, jobs=jobs, students=whose, billed=False, usd_per_hour=None, **usual | more)


def _instant(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _order(job: Job) -> tuple[bool, float, str]:
    """Those that run, then those that wait, each in the order in which they came."""
    return job.state is State.WAITING, job.since.timestamp() if job.since else 0.0, job.id
