"""The acts in which hours pass: a budget is spent and its machine stopped, and a lease ends and the reaper comes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from clusterlab.ledger.budget import Scope
from clusterlab.rehearsal.course.launches import machines_of
from clusterlab.rehearsal.course.sweeping import order
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.enforcement.tell import Case
    from clusterlab.lease import Lease
    from clusterlab.reaper.proof import Entry, Proof
    from clusterlab.reaper.sweep import Terms
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

NOTICES = "notices.jsonl"
MOST_HOURS = 11
"""Less than a lease: what stops the machine must be the budget."""
AGAIN_MINUTES = 11
"""Until the second scan, which may act."""


def spent(course: Course, step: Step) -> None:
    """The runaway's machine idles on, hour by hour, until his budget is spent: he is told, and it is stopped.

    Raises:
        StepError: he was not told, the machine goes on, or he may launch again.
    """
    student, told = course.roles.runaway, []
    for _ in range(MOST_HOURS):
        case = _enforce(course, student)
        if case.told:
            told.append(case.percent)
            course.say(f"{student}: told of {case.percent} %: {case.spending.spent} USD spent")
        if case.percent >= 100:
            break
        course.forward("idle", hours=1)
    course.forward("until the second scan", minutes=AGAIN_MINUTES)
    _enforce(course, student)
    course.meter()
    running = [each for each in machines_of(student) if each.runs]
    if not told or told[-1] != 100 or running:
        raise StepError(f"{student}: told of {told or 'nothing'}, {len(running)} machines run; expected 100 %, none")
    step.notes.append(f"{student}: told of {', '.join(f'{each} %' for each in told)}; stopped; {_refused(course)}")


def lease_over(course: Course, step: Step) -> None:
    """The lease of the forgotten machine ends; the reaper warns, stops it, and after its grace ends it.

    Raises:
        StepError: it was ended in its lease, or is still there after all.
    """
    student = course.roles.forgetful
    (machine,) = machines_of(student)
    steps = [str(_sweep(course, machine.id).step)]
    course.forward("idle, until the lease is over", seconds=_left(course, student).total_seconds() + 60)
    for length in (timedelta(minutes=AGAIN_MINUTES), timedelta(hours=24, minutes=1), timedelta()):
        entry = _sweep(course, machine.id)
        steps.append(str(entry.step))
        course.say(f"{student}: {machine.id}: {entry.step}")
        course.forward("until the next scan", seconds=length.total_seconds())
    if steps[1:] != ["warn", "stop", "down"] or machines_of(student):
        raise StepError(f"{student}: {', '.join(steps)}; {len(machines_of(student))} machines there; expected an end")
    step.notes.append(f"{student}: {machine.id} ({machine.shape}): {', '.join(steps)}")


def _enforce(course: Course, student: str) -> Case:
    """What `clusterlab enforce --yes` does, at the class's time; how the student stands."""
    from clusterlab.enforcement.memory import Memory
    from clusterlab.enforcement.places import parse
    from clusterlab.enforcement.tell import Round
    from clusterlab.enforcement.threshold import SPENT, lease_of, of_course

    course.ledger.accrue()
    spendings, at = of_course(course.ledger.spendings(), course.name), course.clock.now()
    notifiers = parse([f"file:{course.out / NOTICES}"], [])
    memory = Memory.read(course.out / "enforce-told.json", course.name)
    made = Round(course=course.name, at=at, follows="", notifiers=notifiers, memory=memory, yes=True)
    cases, problems = made.tell(spendings)
    over = [each.spending for each in cases if each.percent >= SPENT]
    found = _reap(course, "enforce", terms=partial(lease_of, spent=over))
    if problems or found.faults:
        raise StepError("; ".join([*problems, *found.faults]))
    mine = [each for each in cases if (each.spending.budget.scope, each.spending.budget.name) == _scope(student)]
    return mine[0]


def _scope(student: str) -> tuple[Scope, str]:
    return Scope.STUDENT, student


def _refused(course: Course) -> str:
    """Whether the gate refuses the runaway's next launch for what he has spent.

    Raises:
        StepError: it does not.
    """
    from clusterlab.ledger.budget import BudgetError
    from clusterlab.ledger.reservation import Reservation

    asked = Reservation(
        student=course.roles.runaway,
        team=None,
        course=course.name,
        lab=next(iter(course.labs)),
        run="once-more",
        usd=Decimal("0.01"),
        expires=course.clock.now() + timedelta(hours=1),
    )
    try:
        course.ledger.reserve(asked)
    except BudgetError as error:
        return f"no launch of 0.01 USD any more ({str(error).splitlines()[0]})"
    raise StepError(f"{course.roles.runaway}: has spent his budget, and may launch for 0.01 USD")


def _sweep(course: Course, machine: str) -> Entry:
    """What `clusterlab reap --yes` does, at the class's time; what became of a machine."""
    found = _reap(course, "reap")
    if found.faults:
        raise StepError("; ".join(found.faults))
    return next(each for each in found.entries if each.resource.id == machine)


def _reap(course: Course, what: str, terms: Terms | None = None) -> Proof:
    from clusterlab.reaper.reap import reap

    return reap(order(course, what), course.aws, terms=terms, clock=course.clock.now)


def _left(course: Course, student: str) -> timedelta:
    """How long the lease of a student's machine still is."""
    lease = _lease(course, student)
    return max(lease.until - course.clock.now(), timedelta())


def _lease(course: Course, student: str) -> Lease:
    from clusterlab.lease import Lease, granted_lease

    (machine,) = machines_of(student)
    return Lease.of(machine.tags, machine.created or course.clock.now(), granted_lease())
