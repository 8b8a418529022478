"""The course's policy, which SkyPilot applies to every launch: cost tags, a lease, a budget, and what it refuses.

`.sky.yaml` names it, so SkyPilot loads this module, in the client and where the API server's configuration names it
too in the server. It may thus see a task several times: the run and the lease that it gave are kept, and the run
reserves its budget once. Whatever is raised here refuses the request, so what cannot be read or understood launches
nothing.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sky

from clusterlab.catalog import Catalog, Row
from clusterlab.cluster import Cluster, class_of
from clusterlab.config import parse
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.gate import Book, reserve, root_of
from clusterlab.job import Job
from clusterlab.lab import SUBMIT
from clusterlab.lease import granted_lease, parse_lease
from clusterlab.offers import PLACES, asked_for, clouds, machines_of, placed, priced, unbilled, wanted
from clusterlab.rules import COURSE_LABELS
from clusterlab.tags import LABEL, LABEL_RULE, LEASE_FORMAT, Tags

STUDENT_VARIABLE = "CLUSTERLAB_STUDENT"
TEAM_VARIABLE = "CLUSTERLAB_TEAM"
BUCKET_VARIABLE = "CLUSTERLAB_BUCKET"
"""The variables of who launches; `CLUSTERLAB_BUCKET` is the bare name of the course's S3 bucket."""

MAX_IDLE_MINUTES = 60
MOUNT = "/course"
"""Where a node finds the course's bucket."""

_NAMES = sky.AdminPolicyRequestName
CONTROLLERS = (_NAMES.JOBS_LAUNCH_CONTROLLER, _NAMES.SERVE_LAUNCH_CONTROLLER)
"""Tasks of SkyPilot's own making, which are no labs."""
LOOKS = (_NAMES.VALIDATE, _NAMES.OPTIMIZE, _NAMES.CLUSTER_EXEC)
"""Requests that start no machine."""
ENDED_BY_A_CONTROLLER = (_NAMES.JOBS_LAUNCH_CLUSTER, _NAMES.SERVE_LAUNCH_REPLICA)


class CoursePolicy(sky.AdminPolicy):  # type: ignore[misc]  # SkyPilot is not typed
    """What every launch of the course keeps to."""

    @classmethod
    def validate_and_mutate(cls, user_request: sky.UserRequest) -> sky.MutatedUserRequest:
        """Refuse the task with all that is wrong with it, or tag it.

        Raises:
            UserRequestRejectedByPolicy: the text names every thing that the course does not allow.
        """
        if user_request.request_name not in CONTROLLERS:
            try:
                _apply(user_request, Catalog.load(), datetime.now(UTC))
            except ClusterlabError as error:
                raise sky.exceptions.UserRequestRejectedByPolicy(f"the course refuses it\n{error}") from None
        return sky.MutatedUserRequest(user_request.task, user_request.skypilot_config)


def student_of(user: Any) -> str:
    """Who launches: as the variable says, else the user's name made a label.

    Raises:
        InputError: neither says it.
    """
    named = os.environ.get(STUDENT_VARIABLE)
    if named:
        return named
    try:
        name = user.name if user is not None and user.name else getpass.getuser()
    except (KeyError, OSError) as error:
        message = "not set, and this user has no name; allowed: the student's name as a label"
        raise InputError(Problem(path=STUDENT_VARIABLE, message=message)) from error
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower())[:63].strip("_-")


def admit(request: sky.UserRequest, catalog: Catalog, cluster: Cluster | None, now: datetime, *, book: Book) -> None:
    """Refuse what a class does not allow, with all that is wrong with it; else tag it, and book what it may cost.

    Raises:
        ClusterlabError: a rule, the budget or the ledger refuses it.
    """
    problems = list(dict.fromkeys(_problems(request, catalog, now)))
    if problems:
        raise InputError(problems)
    tags = _tag(request, catalog, cluster, now)
    # Every rule holds, and nothing is launched yet.
    if tags is not None and _launches(request):
        book(request.task, tags, catalog, now)


def _apply(request: sky.UserRequest, everything: Catalog, now: datetime) -> None:
    cluster = _class(request.task, everything)
    catalog = everything if cluster is None else cluster.offered(everything)
    admit(request, catalog, cluster, now, book=reserve)


def _class(task: sky.Task, catalog: Catalog) -> Cluster | None:
    """The class of the task's course, which says what it may use: the server's file of it, or that in the workdir."""
    courses = {(resources.labels or {}).get("course") for resources in task.resources}
    return class_of(courses.pop() if len(courses) == 1 else None, root_of(task), catalog)


def _launches(request: sky.UserRequest) -> bool:
    """Whether machines are started for it, not only looked at, and not those that are there already."""
    dry = request.request_options is not None and request.request_options.dryrun
    return not dry and request.request_name not in LOOKS


def _problems(request: sky.UserRequest, catalog: Catalog, now: datetime) -> Iterator[Problem]:
    path = request.task.name or "task"
    for key, message in _complaints(request, catalog, now):
        yield Problem(path=path, key=key, message=message)


def _complaints(request: sky.UserRequest, catalog: Catalog, now: datetime) -> Iterator[tuple[str, str]]:
    """What is wrong, as key and message."""
    yield from _illegal_labels(request.task, now)
    if request.request_name != _NAMES.CLUSTER_EXEC:
        yield from _missing_labels(request.task)
        for resources in request.task.resources:
            if resources.ports:
                yield "resources.ports", "not allowed; a service is reached through `ssh -L`"
            if request.request_options is not None and request.request_name not in ENDED_BY_A_CONTROLLER:
                yield from _stays_idle(resources)
        yield from _off_the_catalog(request.task, catalog)
    # Only in the client, since a server must not import a student's code.
    if request.at_client_side:
        yield from _unknown_envs(request.task)


def _missing_labels(task: sky.Task) -> Iterator[tuple[str, str]]:
    for key in COURSE_LABELS:
        values = {(resources.labels or {}).get(key) for resources in task.resources}
        if None in values:
            yield f"resources.labels.{key}", f"missing; {LABEL_RULE}"
        elif len(values) > 1:
            yield (
                f"resources.labels.{key}",
                f"differs between alternatives: {', '.join(sorted(map(str, values)))}; allowed: one",
            )


def _illegal_labels(task: sky.Task, now: datetime) -> Iterator[tuple[str, str]]:
    for resources in task.resources:
        for key, value in (resources.labels or {}).items():
            for text in (key, value):
                if not LABEL.fullmatch(text):
                    yield f"resources.labels.{key}", f"some cloud refuses {text!r}; {LABEL_RULE}"
            if key == "lease-until":
                yield from _lengthened(value, now)


def _lengthened(lease: str, now: datetime) -> Iterator[tuple[str, str]]:
    """A lease that somebody wrote is never longer than the one that the policy would give."""
    last = now + granted_lease()
    until = parse_lease(lease)
    if until is None or until > last:
        yield (
            "resources.labels.lease-until",
            f"{lease!r}; allowed: such as {last.strftime(LEASE_FORMAT)}, and no later, or no such label",
        )


def _stays_idle(resources: sky.Resources) -> Iterator[tuple[str, str]]:
    autostop = resources.autostop_config
    if autostop is None or not autostop.enabled:
        yield "resources.autostop", "missing; allowed: {idle_minutes: 10, down: true}"
        return
    if not autostop.down:
        yield "resources.autostop.down", "must be true: a stopped machine's disk still costs"
    if not 0 <= autostop.idle_minutes <= MAX_IDLE_MINUTES:
        yield "resources.autostop.idle_minutes", f"{autostop.idle_minutes}; allowed: 0 to {MAX_IDLE_MINUTES}"


def _off_the_catalog(task: sky.Task, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What has no price: an accelerator that no cloud of the catalog offers, or a place where nothing asked for is."""
    known = _pairs(clouds(catalog))
    asked = [pair for one in task.resources if not unbilled(one) for pair in wanted(one).items()]
    unknown = [pair for pair in dict.fromkeys(asked) if pair not in known]
    if unknown:
        yield "resources.accelerators", f"{_listed(unknown)}: not in the course's catalog; allowed: {_listed(known)}"
    elif not any(priced(resources, catalog) for resources in task.resources):
        for resources in task.resources:
            yield _misplaced(resources, catalog)


def _misplaced(resources: sky.Resources, catalog: Catalog) -> tuple[str, str]:
    """What keeps the catalog from having such a machine: cloud, region, instance type or accelerator."""
    found = clouds(catalog)
    for key, read in PLACES.items():
        asked = asked_for(resources, key)
        there = [row for row in found if asked in (None, read(row).lower())]
        if not there:
            message = f"{asked!r} is not in the course's catalog; allowed: {', '.join(dict.fromkeys(map(read, found)))}"
            return f"resources.{key}", message
        found = there
    return "resources.accelerators", f"not in the course's catalog there; allowed: {_listed(_pairs(found))}"


def _listed(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name}:{count}" for name, count in pairs)


def _pairs(rows: Iterable[Row]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((row.accelerator, row.accelerator_count) for row in rows if row.accelerator))


def _unknown_envs(task: sky.Task) -> Iterator[tuple[str, str]]:
    """What the job's Config refuses, where the job is a module in the task's workdir."""
    lines = task.run.strip().splitlines() if isinstance(task.run, str) else []
    match = SUBMIT.fullmatch(lines[-1].strip()) if lines else None
    root = Path(task.workdir).expanduser().resolve() if isinstance(task.workdir, str) else None
    if match is None or root is None or not (root / "jobs").is_dir():
        return
    envs = {key: value for key, value in task.envs.items() if not key.startswith(("CLUSTERLAB_", "SKYPILOT_"))}
    try:
        parse(Job.load(match.group(1), root=root).config_type, envs)
    except InputError as error:
        for problem in error.problems:
            yield f"envs.{problem.key}" if problem.key else "envs", problem.message


def _tag(request: sky.UserRequest, catalog: Catalog, cluster: Cluster | None, now: datetime) -> Tags | None:
    """Give the task its labels, and the node what it records: the tags, the price and where the runs are kept."""
    task, starts_machines = request.task, request.request_name != _NAMES.CLUSTER_EXEC
    given = next(iter(task.resources)).labels or {}
    if not all(key in given for key in COURSE_LABELS):
        return None
    student = given.get("student") or student_of(request.user)
    team = _team(task.name or "task", given.get("team"), student, cluster)
    tags = _tags(given, student, team, now, leased=starts_machines)
    task.update_envs({"CLUSTERLAB_TAGS": tags.format()})
    if starts_machines:
        # What is offered nowhere at a known price is no alternative.
        alternatives = [place for resources in task.resources for place in placed(resources, catalog)]
        tagged = [resources.copy(labels=tags.labels() | (resources.labels or {})) for resources in alternatives]
        task.set_resources(type(task.resources)(tagged))
        price = _usd_per_hour(task, catalog)
        if price is not None:
            task.update_envs({"CLUSTERLAB_USD_PER_HOUR": str(price)})
    bucket = os.environ.get(BUCKET_VARIABLE)
    if bucket:
        if starts_machines and MOUNT not in task.storage_mounts:
            storage = sky.Storage(source=f"s3://{bucket}", mode=sky.StorageMode.MOUNT_CACHED)
            task.update_storage_mounts({MOUNT: storage})
        task.update_envs({"CLUSTERLAB_RUNS": f"{MOUNT}/runs/{tags.student}"})
    return tags


def _team(path: str, named: str | None, student: str, cluster: Cluster | None) -> str | None:
    """As the class has it, where it has teams: nobody spends another team's budget, or none by leaving out the label.

    Raises:
        InputError: a label says another.
    """
    if cluster is None or not cluster.teams:
        return named or os.environ.get(TEAM_VARIABLE) or None
    team = cluster.team_of(student)
    if named is not None and named != team:
        message = f"{named!r} is not {student}'s; allowed: {'no such label' if team is None else team}"
        raise InputError(Problem(path=path, key="resources.labels.team", message=message))
    return team


def _tags(given: dict[str, str], student: str, team: str | None, now: datetime, *, leased: bool) -> Tags:
    return Tags(
        course=given["course"],
        lab=given["lab"],
        student=student,
        team=team,
        run=given.get("run") or secrets.token_hex(6),
        lease_until=given.get("lease-until") or (now + granted_lease()).strftime(LEASE_FORMAT) if leased else None,
    )


def _usd_per_hour(task: sky.Task, catalog: Catalog) -> Decimal | None:
    """What the task's machines cost together, where every machine that it can become has the same price.

    SkyPilot chooses among alternatives, and among default machines for a CPU, only after the policy.
    """
    prices: set[Decimal | None] = set()
    for resources in task.resources:
        machines = machines_of(resources, catalog) if wanted(resources) or resources.instance_type else []
        prices |= {machine.usd(spot=resources.use_spot) for machine in machines} or {None}
    price = prices.pop() if len(prices) == 1 else None
    return None if price is None else price * task.num_nodes
