"""What a welcome sheet says in whatever language: whose it is, how its student comes to machines, what is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from clusterlab.assignment import Assignment
from clusterlab.cluster import Cluster, Mode
from clusterlab.course.students.reach import AUTHORITY, ENDPOINT
from clusterlab.document import Document
from clusterlab.lease import granted_lease
from clusterlab.plan import dollars

BUCKET = "aws_bucket"
FIRST = "qlora"
"""The lab that is launched first, where the class's file names none."""
RUNS, SCRATCH = "runs", "scratch"
"""The folders of the bucket that a student has one of his own in."""


class Access(StrEnum):
    """How a student comes to machines."""

    SERVER = "server"
    """By the course server, with a token."""
    ROLE = "role"
    """As a role of AWS, from the own laptop."""
    KUBERNETES = "kubernetes"
    """As a role of AWS, to the cluster that all share, on EKS."""
    OTHER = "other"
    """As the instructor says: a class that is not in AWS, and has no server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a sheet says, in whatever language."""

    course: str
    student: str
    team: str | None
    mates: tuple[str, ...]
    """Who else is in the team."""
    access: Access
    shared: bool
    """Whether all submit to one cluster, and nobody has machines of his own."""
    endpoint: str
    certificate: bool
    """Whether the server signed its own."""
    bucket: str
    """Empty where there is none."""
    labs: tuple[Assignment, ...]
    usd: str | None
    """What the student may spend; None where nobody has said."""
    hours: tuple[str, ...]
    time_zone: str
    lease_hours: str
    instructors: tuple[str, ...]

    first_lab: str
    """The file of what is launched first."""
    secrets: tuple[str, ...]
    """What that lab wants to be told when it is launched."""


def facts_of(cluster: Cluster, student: str, outputs: Mapping[str, Any], root: Path) -> Facts:
    """What there is to say to a student of a class, whose labs are in the repository at `root`.

    Raises:
        InputError: `CLUSTERLAB_LEASE_HOURS` is no number of hours, or the first lab cannot be read.
    """
    first = Path("labs") / f"{cluster.labs[0].lab if cluster.labs else FIRST}.yaml"
    usd = cluster.budget.student_usd
    team = next((name for name, members in cluster.teams.items() if student in members), None)
    return Facts(
        course=cluster.course,
        student=student,
        team=team,
        mates=tuple(each for each in cluster.teams[team] if each != student) if team else (),
        access=_access(cluster, outputs),
        shared=cluster.mode is Mode.SHARED,
        endpoint=str(outputs.get(ENDPOINT) or ""),
        certificate=bool(outputs.get(AUTHORITY)),
        bucket=str(outputs.get(BUCKET) or ""),
        labs=cluster.labs,
        usd=None if usd is None else dollars(usd),
        hours=tuple(map(str, cluster.hours)),
        time_zone=cluster.time_zone or "UTC",
        lease_hours=f"{granted_lease() / timedelta(hours=1):g}",
        instructors=cluster.instructors,
        first_lab=str(first),
        secrets=_secrets(root / first),
    )


def _secrets(path: Path) -> tuple[str, ...]:
    return tuple(map(str, Document.load(path, []).mapping_at("secrets")))


def _access(cluster: Cluster, outputs: Mapping[str, Any]) -> Access:
    if cluster.mode is Mode.SHARED and outputs.get("kubeconfig"):
        return Access.KUBERNETES
    if outputs.get(ENDPOINT):
        return Access.SERVER
    return Access.ROLE if outputs.get("aws_student_roles") else Access.OTHER


def block(*lines: str) -> str:
    """Lines to type."""
    return "\n".join(["```", *lines, "```"])


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def commands(facts: Facts) -> str:
    """What is typed once the environment is there: the same in each language."""
    team = [f"export CLUSTERLAB_TEAM={facts.team}"] if facts.team else []
    me = [f"export CLUSTERLAB_STUDENT={facts.student}", *team]
    bucket = [f"export CLUSTERLAB_BUCKET={facts.bucket}"] if facts.bucket and facts.access is Access.ROLE else []
    launch = " ".join([f"sky launch {facts.first_lab}", *(f"--secret {each}=..." for each in facts.secrets)])
    work = _submit(facts) if facts.shared else [*me, *bucket, launch]
    return block(*_log_in(facts), *work)


def _log_in(facts: Facts) -> list[str]:
    here = f"~/{facts.course}"
    if facts.access is Access.SERVER:
        trust = [f"export REQUESTS_CA_BUNDLE={here}/course.pem"] if facts.certificate else []
        return [*trust, f'sky api login --endpoint {facts.endpoint} --token "$(cat {here}/token)"']
    if facts.access is Access.OTHER:
        return []
    return [f"cat {here}/aws.ini >> ~/.aws/config", f"export AWS_PROFILE={facts.course}"]


def _submit(facts: Facts) -> list[str]:
    """A tunnel to the cluster that all share, and a job through it."""
    here, port = f"~/{facts.course}", "8265"
    forward = f"port-forward service/{facts.course}-head-svc {port}:{port}"
    by_kubernetes = f"kubectl --kubeconfig {here}/kubeconfig --namespace class {forward} &"
    by_ssh = f"clusterlab tunnel {facts.course} --port {port} --to 31265 &"
    on_kubernetes = facts.access is Access.KUBERNETES
    # KubeRay makes that one itself.
    token = "RAY_AUTH_TOKEN=..." if on_kubernetes else f"RAY_AUTH_TOKEN_PATH={here}/ray.token"
    return [
        by_kubernetes if on_kubernetes else by_ssh,
        f"export RAY_ADDRESS=http://127.0.0.1:{port} {token} CLUSTERLAB_LEDGER=...",
        f"clusterlab submit {facts.first_lab} --as {facts.student}",
    ]
