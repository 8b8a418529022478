"""The acts in which the class comes up: its program is killed in the middle, what it left is found, and it goes on."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clusterlab.ledger.budget import Scope
from clusterlab.rehearsal.backend import REGION
from clusterlab.rehearsal.cloud import LOCAL_ENDPOINT
from clusterlab.rehearsal.stack import apply_program, configuration, make_class
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.course.orphans import Orphan
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

CUT_OFF = "aws:efs/fileSystem:FileSystem"
"""After which resource the power goes."""


def crash(course: Course, step: Step) -> None:
    """Kill the class's program between the cloud, which has made a resource, and the state, which is to say so.

    Raises:
        StepError: it was not killed, or what it left is not found by its tag.
    """
    arguments = ("--state", str(course.stack.path), "--cut-off", CUT_OFF)
    result = apply_program(course.cluster.path, *arguments, root=course.root, region=REGION, endpoint=LOCAL_ENDPOINT)
    if result.returncode != -signal.SIGKILL:
        raise StepError(f"it ended with {result.returncode}, and was to be killed: {result.stderr.strip()[-500:]}")
    lost = orphans(course)
    if [str(each.resource.kind) for each in lost] != ["file system"]:
        found = ", ".join(str(each.resource) for each in lost) or "nothing"
        raise StepError(f"found by tag and not in the state: {found}; expected one file system")
    step.notes.append(f"kill -9 after {len(course.stack.known())} resources; not in the state: {lost[0].resource}")


def take_over(course: Course, step: Step) -> None:
    """End what the state does not know, and let the program go on from it; nothing is made twice.

    Raises:
        StepError: something is left that no state knows, or is there twice.
    """
    import boto3

    before = course.stack.known()
    _end_lost(course)
    state = ("--state", str(course.stack.path))
    exports = make_class(course.cluster.path, *state, root=course.root, region=REGION, endpoint=LOCAL_ENDPOINT)
    course.bucket = str(exports["aws_bucket"])
    course.sky.configure({**course.settings, **configuration(exports)})
    lost, ours = orphans_here(course), [{"Name": "tag:course", "Values": [course.name]}]
    networks = boto3.client("ec2", region_name=REGION).describe_vpcs(Filters=ours)["Vpcs"]
    if lost or len(networks) != 1:
        raise StepError(f"{len(networks)} networks, {len(lost)} not in the state; expected one, and none")
    made = len(course.stack.known()) - len(before)
    step.notes.append(f"{len(before)} resources kept, {made} made, none twice; {exports['aws_vpc_name']}")


def set_caps(course: Course, step: Step) -> None:
    """Put the class's budgets into its ledger."""
    budget = course.cluster.budget
    for (scope, name), usd in budget.caps(course.name, course.cluster.teams, course.students).items():
        course.ledger.set_cap(Scope(scope), name, usd)
    step.notes.append(f"{budget.course_usd} USD for the class, {budget.student_usd} for each of {len(course.students)}")


def orphans(course: Course) -> list[Orphan]:
    """What the account has of the class in any region, and the state does not know."""
    from clusterlab.course.orphans import find

    return find(course.aws, course.name, course.stack.known(), course.catalog)


def orphans_here(course: Course) -> list[Orphan]:
    """The same in the class's region, as it is now."""
    from clusterlab.course.orphans import of_scan
    from clusterlab.reaper.question import Question
    from clusterlab.reaper.scan import scan

    seen = scan(course.aws, [REGION], Question(courses=frozenset([course.name])), everywhere=False)
    return of_scan(seen, frozenset(course.stack.known()), course.catalog)


def _end_lost(course: Course) -> None:
    """End what the state does not know, by the means of `class down`."""
    from clusterlab.course.ending.clearing import Clearing
    from clusterlab.course.ending.proof import Found
    from clusterlab.reaper.keeplist import KeepList

    clearing = Clearing(
        cloud=course.aws,
        account="",
        course=course.name,
        regions=course.aws.regions(),
        strays={},
        catalog=course.catalog,
        began=datetime.now(UTC),
        sleep=time.sleep,
        clock=time.monotonic,
    )
    seen, found = clearing.look(), Found.of(None)
    clearing.end(seen, KeepList(reasons={}), course.stack.known(), found)
    for each in found.entries.values():
        course.say(f"{each.resource}: ended{f', refused: {each.error}' if each.error else ''}")
