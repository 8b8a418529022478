"""The acts of students who launch machines of their own: side by side, and beyond the budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.rehearsal import account
from clusterlab.rehearsal.launch import Cluster, check_record
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.lab import Lab
    from clusterlab.reaper.resource import Resource
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

TAGS = ("course", "lab", "student", "run", "lease-until")
RUNS = "runs"
MANY = ("--gpus", "T4:4")
"""What the runaway takes: more than the lab needs, at five times the price."""
REFUSED = ("the course refuses it", "USD asked")
"""What SkyPilot says of a launch that the budget does not cover."""


def own_machines(course: Course, step: Step) -> None:
    """Two students launch the class's first lab of one node side by side, and forget their machines.

    Raises:
        StepError: a launch failed, a tag is missing, or a result is not as expected.
    """
    lab, roles = _single_node(course), course.roles
    students = (roles.forgetful, roles.runaway)
    with ThreadPoolExecutor(len(students)) as pool:
        list(pool.map(lambda each: _launch(course, each, lab), students))
    for each in students:
        step.notes.append(f"{each}: {_check_tags(each)}; {_fetch(course, each, lab)}")
    for each in students:
        course.sky_as(each).run("autostop", "-y", "--cancel", cluster_of(each))
        course.say(f"{each}: `sky autostop --cancel {cluster_of(each)}`, and goes home")
    course.meter()


def beyond_the_cap(course: Course, step: Step) -> None:
    """The runaway student asks for a lab at its full scale, which the budget does not cover.

    Raises:
        StepError: it was launched, or refused for another reason.
    """
    student, before = course.roles.runaway, len(account.launched())
    task = str(course.project.path)
    arguments = ("launch", "-y", "-c", f"{student}-big", task, "--env", "SCALE=full", *_secrets(course.project))
    try:
        course.sky_as(student).run(*arguments)
    except StepError as error:
        said = " ".join(str(error).split())
        if not all(word in said for word in REFUSED):
            raise
        step.notes.append(f"`sky launch {Path(task).name} --env SCALE=full`: {_sentence(said, f'student {student}')}")
    else:
        raise StepError(f"{student}: launched what the budget does not cover")
    if len(account.launched()) != before:
        raise StepError(f"{student}: was refused, and a machine was launched")


def machines_of(student: str) -> list[Resource]:
    """A student's machines that are there, running or stopped."""
    return [each for each in account.billed() if each.kind == "instance" and each.tags.get("student") == student]


def _launch(course: Course, student: str, lab: Lab) -> None:
    cluster = Cluster(name=cluster_of(student), lab=lab)
    more = MANY if student == course.roles.runaway else ()
    course.sky_as(student).run("launch", "-y", "-c", cluster.name, *cluster.launch_arguments(), *more)
    course.say(f"{student}: `sky launch labs/{lab.name}.yaml` is done")


def _fetch(course: Course, student: str, lab: Lab) -> str:
    folder = course.out / RUNS / student
    course.sky.fetch(cluster_of(student), "sky_workdir/runs", folder)
    return check_record(folder, lab, student=student)


def _check_tags(student: str) -> str:
    things = [each for each in account.billed() if each.tags.get("student") == student]
    missing = [f"{each}: no tag {key}" for each in things for key in TAGS if key not in each.tags]
    kinds = sorted(str(each.kind) for each in things)
    if missing or "instance" not in kinds or "volume" not in kinds:
        raise StepError("; ".join(missing) or f"{student}: {', '.join(kinds) or 'nothing'} is there")
    shape = next(each.shape for each in things if each.kind == "instance")
    return f"{shape}, {len(things)} resources with {len(TAGS)} tags"


def _single_node(course: Course) -> Lab:
    return next(lab for lab in course.labs.values() if lab.num_nodes == 1)


def _secrets(lab: Lab) -> list[str]:
    arguments = Cluster(name="", lab=lab).launch_arguments()
    return arguments[3:]


def cluster_of(student: str) -> str:
    """The name of a student's own cluster."""
    return f"{student}-own"


def _sentence(said: str, start: str) -> str:
    """What was said of somebody, to the end of the sentence."""
    _, found, rest = said.partition(start)
    return f"{found}{rest.partition(' free')[0]} free" if found else said[:200]
