"""What was used of a Slurm, by student and lab, from its own records of jobs.

scontrol --oneliner --details show job
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusterlab.errors import InputError, Problem

FIELD = re.compile(r"(?:^|\s)(JobId|JobName|UserId|JobState|RunTime|NumNodes|NumCPUs|JOB_GRES)=(\S*)")
RUN_TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)")
NODE = re.compile(r"job(\d+)-")
"""How SkyPilot's names of a cluster's nodes begin: with the Slurm job, then the node's own name."""
GPU = re.compile(r"gpu(?::([^:(,=]+))?:(\d+)")
NOT_BEGUN = ("PENDING", "CONFIGURING")
HOURS = Decimal("0.0001")
"""To which hours are rounded: a third of a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmJob:
    """One job, as Slurm has it on record."""

    id: str
    name: str
    """SkyPilot's begins with the cluster's name."""
    user: str
    seconds: int
    """Of running, suspensions left out."""
    num_nodes: int
    num_cpus: int
    """On all nodes."""
    gpus: dict[str, int]
    """By Slurm's name of the type, on all nodes; the empty name where Slurm knows no types."""

    @classmethod
    def parse(cls, text: str) -> list[SlurmJob]:
        """Read what `scontrol --oneliner --details show job` said, one line a job; those that never ran are left out.

        Raises:
            InputError: a line is no such record.
        """
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("No jobs")]
        fields = [dict(FIELD.findall(line)) for line in lines]
        return [_job(each) for each in fields if each.get("JobState") not in NOT_BEGUN]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A cluster, as SkyPilot has it on record; the tags, which do not reach Slurm, are here."""

    name: str
    job_id: str
    """Of the Slurm job that it is."""
    student: str
    lab: str

    @classmethod
    def parse(cls, records: Iterable[Mapping[str, Any]]) -> list[Cluster]:
        """Read those on Slurm out of `sky status --output json`; without a label, SkyPilot's user is the student."""
        return [
            cls(
                name=record["name"],
                job_id=_job_id(record),
                student=(record.get("labels") or {}).get("student") or record["user_name"],
                lab=(record.get("labels") or {}).get("lab") or "",
            )
            for record in records
            if str(record.get("cloud")).lower() == "slurm"
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a student used for a lab; both are empty for jobs that are no known cluster's."""

    student: str
    lab: str
    num_jobs: int
    cpu_hours: Decimal
    gpu_hours: Decimal

    def __str__(self) -> str:
        who = f"{self.student} x {self.lab}" if self.student else "not a known cluster's"
        return f"{who}: {self.num_jobs} jobs, {self.cpu_hours} CPU-hours, {self.gpu_hours} GPU-hours"


def usage(jobs: Iterable[SlurmJob], clusters: Iterable[Cluster]) -> list[Usage]:
    """Sum jobs by student and lab; every job is in exactly one row."""
    owners = {cluster.job_id: (cluster.student, cluster.lab) for cluster in clusters}
    rows: dict[tuple[str, str], list[SlurmJob]] = {}
    for job in jobs:
        rows.setdefault(owners.get(job.id, ("", "")), []).append(job)
    return [
        Usage(
            student=student,
            lab=lab,
            num_jobs=len(found),
            cpu_hours=_hours(job.seconds * job.num_cpus for job in found),
            gpu_hours=_hours(job.seconds * sum(job.gpus.values()) for job in found),
        )
        for (student, lab), found in sorted(rows.items())
    ]


def _job_id(record: Mapping[str, Any]) -> str:
    match = NODE.match(record.get("node_names") or "")
    return match.group(1) if match else ""


def _job(fields: Mapping[str, str]) -> SlurmJob:
    try:
        gpus: dict[str, int] = {}
        for name, count in GPU.findall(fields.get("JOB_GRES", "")):
            gpus[name] = gpus.get(name, 0) + int(count)
        return SlurmJob(
            id=fields["JobId"],
            name=fields["JobName"],
            user=fields["UserId"].partition("(")[0],
            seconds=_seconds(fields["RunTime"]),
            num_nodes=int(fields["NumNodes"]),
            num_cpus=int(fields["NumCPUs"]),
            gpus=gpus,
        )
    except (KeyError, ValueError) as error:
        message = f"no record of a job: {error}; allowed: what `scontrol --oneliner --details show job` says"
        raise InputError(Problem(path="slurm", key=fields.get("JobId", ""), message=message)) from error


def _seconds(text: str) -> int:
    match = RUN_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"RunTime={text}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _hours(seconds: Iterable[int]) -> Decimal:
    return (Decimal(sum(seconds)) / 3600).quantize(HOURS)
