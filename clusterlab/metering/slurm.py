"""Slurm's records of jobs, at the rates of `clusters/slurm.yaml`.

SLURM_TIME_FORMAT=%s scontrol --oneliner --details show job
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from clusterlab.cost.interval import Kind, Source
from clusterlab.errors import InputError, Problem, UnreachableError
from clusterlab.metering.observation import UNKNOWN, Observation, Price, Sighting
from clusterlab.slurm.centre import Centre, Login, Rates
from clusterlab.slurm.usage import Cluster, SlurmJob

COMMAND = ("env", "SLURM_TIME_FORMAT=%s", "scontrol", "--oneliner", "--details", "show", "job")
"""With seconds since 1970: Slurm's usual times are local, and say neither of which zone nor of which summer."""
SSH_SECONDS = 60
STATUS_SECONDS = 60
"""How long SkyPilot's server may take to say what it knows; one that hangs would hold up all others that are asked."""
FIELD = re.compile(r"(?:^|\s)(JobState|StartTime|EndTime|AllocTRES|TRES)=(\S*)")
MEMORY = re.compile(r"(?:^|,)mem=([0-9.]+)([KMGT]?)")
GIB = {"K": Decimal(2) ** -20, "M": Decimal(2) ** -10, "": Decimal(2) ** -10, "G": Decimal(1), "T": Decimal(2) ** 10}
USING = ("RUNNING", "COMPLETING", "STOPPED", "SIGNALING", "STAGE_OUT")
"""The states in which a job has its nodes; suspended, it has given them up."""


def records(login: Login) -> str:
    """What the centre's Slurm says of its jobs, asked over SSH.

    Raises:
        UnreachableError: it does not answer.
    """
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", login.identity_file, "-p", str(login.port)]
    command = [*ssh, f"{login.user}@{login.host}", *COMMAND]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SSH_SECONDS)
    except subprocess.CalledProcessError as error:
        raise UnreachableError(f"{login.host}: `ssh` ended with {error.returncode}: {error.stderr.strip()}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise UnreachableError(f"{login.host}: {error}") from error
    return said.stdout


def skypilot_status() -> list[dict[str, Any]]:
    """The clusters that SkyPilot knows; their tags do not reach Slurm.

    Raises:
        UnreachableError: `sky` is not installed beside this Python, or fails.
    """
    command = [str(Path(sys.executable).with_name("sky")), "status", "--all-users", "--output", "json"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=STATUS_SECONDS).stdout
    except (subprocess.SubprocessError, OSError) as error:
        raise UnreachableError(f"SkyPilot: `sky status`: {error}") from error
    try:
        found: list[dict[str, Any]] = json.loads(said[said.index("[") :])
    except ValueError as error:
        raise UnreachableError(f"SkyPilot: `sky status` said no JSON: {said.strip()[:200]!r}") from error
    return found


def course_clusters(records: Iterable[Mapping[str, Any]], *, course: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The Slurm job and the tags of each cluster of the course."""
    for record in records:
        found = Cluster.parse([record])
        tags = record.get("labels") or {}
        if found and tags.get("course") == course:
            yield found[0].job_id, tags


def observe(text: str, clusters: Iterable[tuple[str, dict[str, str]]], centre: Centre, *, at: datetime) -> Observation:
    """Read what `records` said.

    Args:
        text: One line a job.
        clusters: The Slurm job and the tags of each cluster that SkyPilot knows; other jobs are not the course's.
        centre: Whose rates count.
        at: Now, in UTC.

    Raises:
        InputError: a line is no such record.
    """
    tags = dict(clusters)
    sightings = [each for line in text.splitlines() for each in _jobs(line, tags, centre, at)]
    return Observation(source=Source.SLURM, at=at, covered=frozenset({centre.name}), sightings=tuple(sightings))


def _jobs(line: str, tags: dict[str, dict[str, str]], centre: Centre, at: datetime) -> Iterator[Sighting]:
    for job in SlurmJob.parse(line):
        if job.id not in tags:
            continue
        fields = dict(reversed(FIELD.findall(line)))
        start = _instant(job.id, "StartTime", fields)
        gpus = "".join(f", {count} {name or 'gpu'}" for name, count in sorted(job.gpus.items()))
        yield Sighting(
            # Slurm counts its jobs anew one day, so a job is known by its start too.
            resource_id=f"{centre.name}/{job.id}/{int(start.timestamp())}",
            kind=Kind.COMPUTE,
            tags=tags[job.id],
            start=start,
            # Of a job that is suspended, EndTime is when its time limit would end it.
            end=None if fields["JobState"] in USING else max(min(_instant(job.id, "EndTime", fields), at), start),
            shape=f"{job.num_nodes} nodes, {job.num_cpus} cpus{gpus}",
            region=centre.name,
            price=_price(job, _memory_gib(fields), centre.usd_per_hour),
        )


def _price(job: SlurmJob, memory_gib: Decimal | None, rates: Rates) -> Price:
    """Of all that the job holds; not known where a rate of it, or its memory, is not."""
    by_type = {name.lower(): usd for name, usd in rates.accelerators.items()}
    if len(by_type) == 1:
        # A Slurm that knows no types has but one.
        by_type[""] = next(iter(by_type.values()))
    if not set(job.gpus) <= set(by_type) or (rates.memory_gib and memory_gib is None):
        return UNKNOWN
    usd = job.num_cpus * rates.cpu + (memory_gib or 0) * rates.memory_gib
    return Price(usd_per_hour=usd + sum((count * by_type[name] for name, count in job.gpus.items()), Decimal(0)))


def _memory_gib(fields: dict[str, str]) -> Decimal | None:
    match = MEMORY.search(fields.get("AllocTRES", "")) or MEMORY.search(fields.get("TRES", ""))
    return Decimal(match.group(1)) * GIB[match.group(2)] if match else None


def _instant(job: str, name: str, fields: dict[str, str]) -> datetime:
    text = fields.get(name, "")
    if not text.isdecimal():
        message = f"{text!r}; allowed: seconds since 1970, as `{' '.join(COMMAND)}` says"
        raise InputError(Problem(path="slurm", key=f"job {job}: {name}", message=message))
    return datetime.fromtimestamp(int(text), UTC)
