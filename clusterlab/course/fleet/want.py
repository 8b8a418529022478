"""Which clusters a class has: one for each student, with the machines of the lab that is due next, or one for all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

from clusterlab.assignment import Assignment
from clusterlab.cluster import Cluster, Mode
from clusterlab.config import Scale
from clusterlab.course.fleet.launcher import Want
from clusterlab.course.place import class_folder
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.lab import Lab

SHARED_TASK = Path("sky.yaml")
TOKEN = "ray.token"  # noqa: S105 (the file's name)
TOKEN_VARIABLE = "RAY_AUTH_TOKEN"  # noqa: S105 (its name)
WAIT_MINUTES = 60
"""How long a cluster waits for its student while the class meets: the longest that the course's policy allows."""


def wants(
    cluster: Cluster, root: Path, *, day: date, occasion: str, lab: str | None = None, students: Sequence[str] = ()
) -> list[Want]:
    """The clusters of a class, whose tasks are read from the repository at `root`.

    `occasion` is what they are brought up for: on the same one a cluster is the same run, so that its budget is
    reserved once, however often it is tried. `students` are those whose clusters it is about, all where none is named.

    Raises:
        InputError: the class has no such lab or student, or its file or the roster cannot be read.
        StorageError: the shared cluster's token cannot be kept.
    """
    if cluster.mode is Mode.SHARED:
        return [_shared(cluster, root, occasion)]
    assignment = _assignment(cluster, day, lab)
    known = cluster.students()
    if strangers := [each for each in students if each not in known]:
        message = f"{', '.join(map(repr, strangers))}; allowed: of the roster, {', '.join(known)}"
        raise InputError(Problem(path="--student", message=message))
    task = _task(Lab.load(root / "labs" / f"{assignment.lab}.yaml"), assignment)
    return list(_of_students(cluster, students or known, task, occasion))


def cluster_name(course: str, student: str | None = None) -> str:
    """As SkyPilot calls it; it begins with a letter there."""
    name = course if student is None else f"{course}-{student}"
    return name if name[0].isalpha() else f"c-{name}"


def due_next(cluster: Cluster, day: date) -> Assignment | None:
    """What students work on: the lab that is handed in next, else the last one; of those without a date the first."""
    dated = sorted((each for each in cluster.labs if each.due), key=lambda each: each.due or day)
    ahead = [each for each in dated if each.due and each.due >= day]
    return next(iter([*ahead, *(each for each in cluster.labs if not each.due), *reversed(dated)]), None)


def token_of(course: str, root: Path) -> str:
    """The token of the shared cluster's Ray: the environment's, else one made once and kept where its owner reads it.

    Raises:
        StorageError: it cannot be kept.
    """
    if given := os.environ.get(TOKEN_VARIABLE):
        return given
    path = class_folder(course, root) / TOKEN
    try:
        if not path.exists():
            partial = path.with_name(f".{TOKEN}.{os.getpid()}")
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_hex(24))
            # Of two that make one at once, both take the first's.
            with suppress(FileExistsError):
                path.hardlink_to(partial)
            partial.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise StorageError(f"{path}: cannot be kept: {error.strerror}") from error


def _assignment(cluster: Cluster, day: date, lab: str | None) -> Assignment:
    found = due_next(cluster, day) if lab is None else next((each for each in cluster.labs if each.lab == lab), None)
    if found is None:
        known = ", ".join(each.lab for each in cluster.labs) or "none here"
        message = f"{'missing' if lab is None else repr(lab)}; allowed: a lab of the class, of {known}"
        raise InputError(Problem(path=str(cluster.path), key="labs", message=message))
    return found


def _task(lab: Lab, assignment: Assignment) -> dict[str, Any]:
    """A lab's machines and setup, and nothing to run: the student's `sky exec` brings that."""
    scale = assignment.scale or Scale(lab.envs.get("SCALE", Scale.SINGLE))
    task = {key: value for key, value in Document.load(lab.path, []).values.items() if key not in ("run", "secrets")}
    task["envs"] = {**task.get("envs", {}), "SCALE": str(scale)}
    planned = lab.scales.get(scale)
    if planned and planned.accelerators:
        task["resources"] = task["resources"] | {"accelerators": planned.accelerators}
    return task


def _of_students(cluster: Cluster, students: Sequence[str], task: Mapping[str, Any], occasion: str) -> Iterator[Want]:
    teams = {student: team for team, members in cluster.teams.items() for student in members}
    for student in students:
        owner = {"course": cluster.course, "student": student}
        labels = owner | ({"team": teams[student]} if student in teams else {})
        yield _want(cluster_name(cluster.course, student), task, owner, labels, occasion)


def _shared(cluster: Cluster, root: Path, occasion: str) -> Want:
    document = Document.load(root / SHARED_TASK, [])
    task = deepcopy(document.values)
    task["secrets"] = {TOKEN_VARIABLE: token_of(cluster.course, root)}
    # It has no job before the first student comes, and must not end for that.
    least = int(task.get("envs", {}).get("IDLE_MINUTES", 0)) + cluster.warm_minutes
    task["envs"] = {**task.get("envs", {}), "IDLE_MINUTES": str(least)}
    lab = str(document.at("resources.labels.lab") or "shared")
    owner = {"course": cluster.course, "lab": lab}
    return _want(cluster_name(cluster.course), task, owner, owner, occasion)


def _want(
    name: str, task: Mapping[str, Any], owner: Mapping[str, str], labels: Mapping[str, str], occasion: str
) -> Want:
    resources = dict(task.get("resources") or {})
    after = int((resources.get("autostop") or {}).get("idle_minutes", 10))
    resources["autostop"] = {"idle_minutes": WAIT_MINUTES, "down": True}
    run = hashlib.sha256(f"{name} {occasion}".encode()).hexdigest()[:12]
    resources["labels"] = {**(resources.get("labels") or {}), **labels, "run": run}
    return Want(
        name=name,
        task={**task, "resources": resources},
        owner=dict(owner),
        idle_minutes=WAIT_MINUTES,
        idle_minutes_after=after,
    )
