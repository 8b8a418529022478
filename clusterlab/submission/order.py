"""What a student submits: a lab with its values, checked against the class's file before anything is waited for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from clusterlab.closest import hint
from clusterlab.cluster import Cluster, class_path
from clusterlab.config import Scale, parse
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.job import Job
from clusterlab.lab import Lab, ScalePlan
from clusterlab.request import TAGS_VARIABLE, Request
from clusterlab.submission.results import VARIABLE as RESULTS_VARIABLE
from clusterlab.submission.ticket import State, Ticket
from clusterlab.tags import Tags

STUDENT_VARIABLE = "CLUSTERLAB_STUDENT"
NODES_PYTHON = "python"
"""That of the environment which the cluster's Ray was started from: none is made for a job."""
MAX_NAME = 63


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One lab of one student, with all its values."""

    lab: Lab
    cluster: Cluster
    """The class."""
    request: Request
    secrets: Mapping[str, str] = field(repr=False)
    """What the lab's file names as secrets, and the environment has: for the job, and for no record or log."""

    @classmethod
    def of(cls, lab: Lab, student: str | None, values: Mapping[str, str], environment: Mapping[str, str]) -> Order:
        """Read what is submitted in the repository that is the working folder.

        Args:
            lab: The lab.
            student: Who submits; None for whom the environment or the roster says.
            values: In place of the lab's own, upper-case; its scale is else that of the class's file.
            environment: Where the student's name and secrets may be.

        Raises:
            InputError: the class does not know the student or has no file, or a value is wrong.
        """
        root = Path.cwd()
        cluster = Cluster.load(class_path(lab.resources.labels.get("course", ""), root))
        who = _student(cluster, student or environment.get(STUDENT_VARIABLE))
        team = cluster.team_of(who)
        run = f"{who}-{lab.name}"[: MAX_NAME - 9].rstrip("_-") + f"-{secrets.token_hex(4)}"
        tags = Tags(course=cluster.course, lab=lab.name, student=who, team=team, run=run)
        assigned = next((each.scale for each in cluster.labs if each.lab == lab.name), None)
        envs = lab.envs | ({"SCALE": str(assigned)} if assigned else {}) | dict(values)
        parse(Job.load(lab.job, root=root, path=str(lab.path)).config_type, envs, path=f"{lab.path}: envs")
        request = Request.of(lab.job, envs | {TAGS_VARIABLE: tags.format()}, root=root)
        lab.at(Scale(envs["SCALE"]))
        named = Document.load(lab.path, []).mapping_at("secrets")
        found = {str(name): environment[str(name)] for name in named if environment.get(str(name))}
        return cls(lab=lab, cluster=cluster, request=request, secrets=found)

    @property
    def tags(self) -> Tags:
        """Who pays for what."""
        return self.request.tags

    @property
    def planned(self) -> ScalePlan:
        """What the lab's sidecar says of its scale."""
        return self.lab.at(self.request.config.scale)

    def num_gpus(self, *, of_gpus: bool) -> int:
        """How many GPUs it holds; machines, where the cluster has no GPU.

        A job takes a GPU where there is one, also at a scale that needs none.
        """
        each = max(self.lab.accelerators_at(self.request.config.scale).values(), default=1) if of_gpus else 1
        return each * self.lab.num_nodes

    def due(self) -> datetime | None:
        """Until when it is handed in: the end of the day that the class's file names."""
        day = next((each.due for each in self.cluster.labs if each.lab == self.lab.name), None)
        return None if day is None else _end_of(day, self.cluster.time_zone)

    def ticket(self, folder: str, *, of_gpus: bool) -> Ticket:
        """Its ticket, of which the queue says when it joined."""
        now = datetime.now(UTC)
        return Ticket(
            id=self.tags.run or "",
            course=self.tags.course,
            student=self.tags.student,
            lab=self.tags.lab,
            fingerprint=self.request.asked.fingerprint,
            folder=folder,
            gpus=Decimal(self.num_gpus(of_gpus=of_gpus)),
            hours=self.planned.hours.high,
            due=self.due(),
            state=State.WAITING,
            joined=now,
            beat=now,
        )

    def named(self, run: str) -> Order:
        """The same under the name of a run that there is."""
        return replace(self, request=replace(self.request, tags=replace(self.tags, run=run)))

    def job(self, folder: str, package: str) -> dict[str, Any]:
        """What Ray is asked for; the folder is one below the student's own on the node."""
        variables = self.request.variables(Path(folder)) | {RESULTS_VARIABLE: "1"} | dict(self.secrets)
        return {
            "submission_id": self.tags.run,
            "entrypoint": self.request.entrypoint(Path(folder), python=NODES_PYTHON),
            "runtime_env": {"env_vars": variables, "working_dir": package},
            "metadata": self.request.metadata(),
        }


def _student(cluster: Cluster, named: str | None) -> str:
    students = cluster.students()
    if named is None and len(students) == 1:
        return students[0]
    if named in students:
        return str(named)
    given = f"missing, and {STUDENT_VARIABLE} is not set; "
    if named:
        given = f"{named!r} is not in the roster; {hint(named, students)}"
    message = f"{given}allowed: one of the {len(students)} students of {cluster.path}"
    raise InputError(Problem(path="--as", message=message))


def _end_of(day: date, time_zone: str | None) -> datetime:
    zone = ZoneInfo(time_zone) if time_zone else UTC
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
