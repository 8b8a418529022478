"""The act in which every student submits every lab to the class's Ray cluster, through a tunnel."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clusterlab.rehearsal.course.launches import machines_of
from clusterlab.rehearsal.course.roles import TEACHER
from clusterlab.rehearsal.course.tasks import copy_shared
from clusterlab.rehearsal.launch import AT_ONCE_PER_CPU, check_record
from clusterlab.rehearsal.shared import submit, tunnel
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.lab import Lab
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

FACTOR = 20
"""How fast the class's clock goes while jobs run: three seconds of a tiny job are metered as a minute."""
LOOK_SECONDS = 10.0
SUBMITTED = "submitted"


def class_cluster(course: Course, step: Step) -> None:
    """The instructor launches the class's Ray cluster: one machine, to which all submit.

    Raises:
        StepError: it was not launched.
    """
    token, task = secrets.token_hex(24), copy_shared(course.name, course.root, course.out / "tasks")
    secret = ("--secret", f"RAY_AUTH_TOKEN={token}")
    sky = course.sky_as(TEACHER)
    sky.run("launch", "-y", "-d", "-c", course.name, str(task), "--num-nodes", "1", *secret)
    (machine,) = machines_of(TEACHER)
    course.pool, course.token = machine.tags["run"], token
    step.notes.append(f"{machine.shape}, tagged lab={machine.tags['lab']}")


def every_lab(course: Course, step: Step) -> None:
    """Everybody submits each lab, one lab after the other, while the meter looks and the clock runs faster.

    Raises:
        StepError: a job failed, or a result is not as expected.
    """
    asked = [(student, lab) for lab in course.labs.values() for student in course.students]
    os.environ |= {"RAY_AUTH_TOKEN": course.token}
    with tunnel(course.sky, course.name) as address:
        os.environ |= {"RAY_ADDRESS": address}
        _first(course, *asked[0])
        with course.hurried(FACTOR, "of class"), _pool() as pool:
            futures = [pool.submit(_submit, course, *each) for each in asked[1:]]
            _look_until(course, futures)
        course.meter()
    _take_down(course)
    passed = [check_record(course.out / SUBMITTED / lab.name / student, lab, student=student) for student, lab in asked]
    step.notes.append(
        f"{len(passed)} jobs of {len(course.students)} students, {len(course.labs)} labs: all as expected"
    )


def _first(course: Course, student: str, lab: Lab) -> None:
    """The first waits until Ray is up, at a second a second."""
    _submit(course, student, lab)


def _submit(course: Course, student: str, lab: Lab) -> None:
    submit(course.sky, lab, course.token, student=student, runs=course.out / SUBMITTED / lab.name / student)
    course.say(f"{student}: {lab.name} succeeded on the class's cluster")


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE_PER_CPU * (os.cpu_count() or 1)) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _look_until(course: Course, futures: list[Future[None]]) -> None:
    """Meter the cluster until all is done; whatever failed is raised."""
    while not all(future.done() for future in futures):
        _look(course)
        failed = [future for future in futures if future.done() and future.exception()]
        if failed:
            break
        time.sleep(LOOK_SECONDS)
    for future in futures:
        if future.done():
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
