"""The act in which every student submits every lab to the class's Ray cluster, by `clusterlab submit` in a tunnel."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from clusterlab.config import Scale
from clusterlab.errors import InputError, UnreachableError
from clusterlab.rehearsal.course.launches import machines_of
from clusterlab.rehearsal.course.roles import TEACHER
from clusterlab.rehearsal.course.tasks import copy_shared
from clusterlab.rehearsal.course.turns import check_turns, tickets
from clusterlab.rehearsal.launch import check_record
from clusterlab.rehearsal.shared import tunnel
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.lab import Lab
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

LOOK_SECONDS = 10.0
START_SECONDS = 300
"""How long Ray may take until all machines have come to it."""
SUBMIT_SECONDS = 3600
"""How long a submission may take, with its turn waited for."""
SUBMITTED = "submitted"
LOG = "submit.log"


def class_cluster(course: Course, step: Step) -> None:
    """The instructor launches the class's Ray cluster, to which all submit.

    Raises:
        StepError: it was not launched.
    """
    token, task = secrets.token_hex(24), copy_shared(course.name, course.root, course.out / "tasks")
    secret = ("--secret", f"RAY_AUTH_TOKEN={token}")
    course.sky_as(TEACHER).run("launch", "-y", "-d", "-c", course.name, str(task), *secret)
    machines = machines_of(TEACHER)
    pools = {each.tags["run"] for each in machines}
    if len(pools) != 1:
        raise StepError(f"{len(machines)} machines of {len(pools)} runs; expected those of one")
    [course.pool], course.token = pools, token
    shapes = ", ".join(sorted({each.shape for each in machines}))
    step.notes.append(f"{len(machines)} machines ({shapes}), tagged lab={machines[0].tags['lab']}")


def every_lab(course: Course, step: Step) -> None:
    """All students at once, each one lab after the other, wait for their turn, while the meter looks.

    Raises:
        StepError: a job failed, a result is not as expected, or the queue let more start than may.
    """
    students, labs, num_machines = course.students, list(course.labs.values()), len(machines_of(TEACHER))
    os.environ |= {"RAY_AUTH_TOKEN": course.token}
    try:
        with tunnel(course.sky, course.name) as address:
            os.environ |= {"RAY_ADDRESS": address}
            _wait_for_ray(course, address, num_machines)
            step.notes += _refused(course)
            with ThreadPoolExecutor(len(students)) as pool:
                futures = [pool.submit(_submit_all, course, student) for student in students]
                _look_until(course, futures)
            course.meter()
    finally:
        # Without the tunnel nobody can meter what runs there.
        _take_down(course)
    for lab in labs:
        for student in students:
            check_record(course.out / SUBMITTED / lab.name / student, lab, student=student)
    step.notes.append(f"{len(students) * len(labs)} jobs of {len(students)} students, {len(labs)} labs: as expected")
    step.notes.append(check_turns(tickets(course), course.cluster.limits, num_machines))


def _wait_for_ray(course: Course, address: str, num_machines: int) -> None:
    """The cluster is up before its Ray is, and that answers before all machines have come to it.

    Until they have, what asks for all of them is refused: a class is told of its cluster when they are there.
    """
    from clusterlab.metering import ray

    deadline, seen = time.monotonic() + START_SECONDS, "does not answer"
    while time.monotonic() < deadline:
        try:
            num_nodes = ray.ask(address, course.token).num_nodes
        except UnreachableError as error:
            seen = str(error)
        else:
            if num_nodes >= num_machines:
                return
            seen = f"has {num_nodes} of {num_machines} machines"
        time.sleep(2)
    raise StepError(f"the class's Ray: {seen}, {START_SECONDS} s after its launch")


def _refused(course: Course) -> list[str]:
    """What a student is told who asks for more than the class's limits have; nothing where it has none."""
    lab, limit = course.project, course.cluster.limits.gpu_hours
    if limit is None or lab.at(Scale.FULL).hours.high <= limit:
        return []
    result = _type(course, course.roles.runaway, lab, Scale.FULL)
    said = " ".join(result.stderr.split())
    if result.returncode != InputError.exit_code or f"at most {limit}" not in said:
        raise StepError(
            f"{lab.name} is over the limit at full scale, and ended with {result.returncode}: {said[-500:]}"
        )
    return [f"`clusterlab submit {lab.name}.yaml --scale full`: {said.partition(': ')[2]}"]


def _submit_all(course: Course, student: str) -> None:
    for lab in course.labs.values():
        result = _type(course, student, lab, Scale.TINY)
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip())[-800:]
            raise StepError(f"{student}: `clusterlab submit` of {lab.name} ended with {result.returncode}: {said}")
        course.say(f"{student}: {lab.name} succeeded on the class's cluster")


def _type(course: Course, student: str, lab: Lab, scale: Scale) -> subprocess.CompletedProcess[str]:
    """What a student types, the class's token and ledger in the environment."""
    runs = course.out / SUBMITTED / lab.name / student
    arguments = ["submit", str(lab.path), "--as", student, "--scale", str(scale), "--runs", str(runs)]
    environment = course.sky.environment() | {name: os.environ[name] for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    # Whoever rehearses is root, and the repository may be somebody else's, which git else refuses to look into.
    environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    command = [sys.executable, "-m", "clusterlab.cli", *arguments]
    try:
        result = subprocess.run(
            command,
            cwd=course.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SUBMIT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StepError(f"{student}: `clusterlab submit` of {lab.name} did not end within {error.timeout} s") from error
    with (course.out / LOG).open("a") as log:
        log.write(f"$ clusterlab {' '.join(arguments)}\n{result.stdout}{result.stderr}\n")
    return result


def _look_until(course: Course, futures: list[Future[None]]) -> None:
    """Meter the cluster until all is done; whatever failed is raised."""
    while not all(future.done() for future in futures):
        _look(course)
        time.sleep(LOOK_SECONDS)
    for future in futures:
        future.result()


def _look(course: Course) -> None:
    """Meter once; what does not answer is asked again at the next look, as with `clusterlab meter --every`."""
    try:
        course.meter()
    except StepError as error:
        course.say(f"the meter: {error}")


def _take_down(course: Course) -> None:
    course.sky_as(TEACHER).run("down", "-y", course.name)
    course.meter()
    if machines_of(TEACHER):
        raise StepError("the class's cluster was taken down, and is there")
