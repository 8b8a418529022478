"""The act in which the class ends: by the code of `clusterlab class down`, with its proof."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clusterlab.rehearsal.course.course import PROOF
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.course.ending.clearing import Clearing
    from clusterlab.course.ending.down import Down
    from clusterlab.course.ending.proof import ClassProof
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

AGE_SECONDS = 120.0
"""Between the two looks that prove that nothing is left: the default of `class down`, by the class's clock."""


def take_down(course: Course, step: Step) -> None:
    """End the class in every region, prove that nothing is left, and find nothing to do when it is asked for again.

    Raises:
        StepError: something is left, could not be looked at or settled, or the end is not final.
    """
    ending = _ending(course)
    found = ending.run(ending.look())
    if not found.proven:
        left = [f"left: {entry.resource}" for entry in found.sweep.left]
        raise StepError("; ".join([*left, *found.sweep.faults, *found.problems]) or "there is no proof")
    if ending.nothing_to_do(ending.look()) is None:
        raise StepError("the class has ended, and its end, asked for again, finds something to do")
    step.notes.append(_told(found))


def _ending(course: Course) -> Down:
    """The end of the class, at its time and with the papers of the rehearsal."""
    from clusterlab.course.ending.books import Books
    from clusterlab.course.ending.down import Down
    from clusterlab.course.ending.proof import Paper
    from clusterlab.course.ending.skypilot_clusters import end
    from clusterlab.course.ending.taking import Taking
    from clusterlab.reaper.keeplist import KeepList

    clearing, now = _clearing(course), course.clock.now
    return Down(
        course=course.name,
        clearing=clearing,
        stack=Taking(stack=course.stack, sleep=clearing.sleep),
        keep=KeepList(reasons=dict(course.cluster.keep)),
        books=Books(
            course=course.name, opened=course.open_ledger, catalog=course.catalog, now=now, sleep=clearing.sleep
        ),
        ledger_on_stack=course.cluster.server,
        clusters=end,
        paper=Paper(path=course.out / PROOF),
        age_seconds=AGE_SECONDS,
        now=now,
        step=lambda name: course.say(f"class down: {name}"),
    )


def _clearing(course: Course) -> Clearing:
    from clusterlab.course.ending.clearing import Clearing

    account, theirs = course.aws.account_at(course.clock.now())
    return Clearing(
        cloud=course.aws,
        account=account,
        course=course.name,
        regions=course.aws.regions(),
        strays={},
        catalog=course.catalog,
        began=theirs,
        sleep=lambda seconds: _wait(course, seconds),
        clock=lambda: course.clock.now().timestamp(),
    )


def _wait(course: Course, seconds: float) -> None:
    """Nobody computes meanwhile; the ledger is the end's own to write, so the meter is not asked as it else would."""
    length = timedelta(seconds=seconds)
    course.clock.forward(length)
    course.forwarded.append(f"{length} between two looks of the end")


def _told(found: ClassProof) -> str:
    ended = sum(not entry.there for entry in found.sweep.entries)
    clusters = f"SkyPilot ended {', '.join(found.clusters) or 'none'}"
    runs = sum(found.ledger["runs_by_last_row"].values()) if found.ledger else 0
    return (
        f"{ended} ended, none left in {len(found.sweep.regions)} regions: {PROOF}; {clusters}; "
        f"the ledger is closed, with all of {runs} runs concluded; asked for again, nothing is left to do"
    )
