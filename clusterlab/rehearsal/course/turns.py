"""What the queue of a class's cluster put on record of its submissions, held against what each may take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.class_budget import Limits
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.submission.ticket import Ticket


def tickets(course: Course) -> list[Ticket]:
    """All that were ever in the class's queue."""
    from sqlalchemy import select

    from clusterlab.submission.table import TICKETS, ticket_of

    with course.ledger.database.reading() as connection:
        rows = select(TICKETS).where(TICKETS.c.course == course.name).order_by(TICKETS.c.joined)
        return list(map(ticket_of, connection.execute(rows)))


def check_turns(given: Iterable[Ticket], limits: Limits, machines: int) -> str:
    """Whether nobody held more at once than the cluster has, or than a student may.

    Raises:
        StepError: somebody did, or a ticket is not over.
    """
    found = list(given)
    still = [f"{each.id} is {each.state}" for each in found if each.started is None or each.ended is None]
    if still or not found:
        raise StepError(f"the queue: {', '.join(still) or 'nobody was in it'}")
    most = most_at_once(found)
    over = [f"{most} of {machines} were held at once"] if most > machines else []
    for student in sorted({each.student for each in found}):
        held = most_at_once(each for each in found if each.student == student)
        if limits.gpus is not None and held > limits.gpus:
            over.append(f"{student} held {held} of {limits.gpus} at once")
    if over:
        raise StepError(f"the queue: {'; '.join(over)}")
    waits = sorted(each.started - each.joined for each in found if each.started)
    return (
        f"never more than {most} of {machines} machines held at once; "
        f"waited {_seconds(waits[len(waits) // 2])} s in the middle, {_seconds(waits[-1])} s at most"
    )


def most_at_once(given: Iterable[Ticket]) -> Decimal:
    """What tickets that are over held together at their most; one that begins as another ends is not beside it."""
    changes: list[tuple[datetime, Decimal]] = []
    for each in given:
        if each.started and each.ended:
            changes += [(each.started, each.gpus), (each.ended, -each.gpus)]
    held = most = Decimal(0)
    for _, change in sorted(changes):
        held += change
        most = max(most, held)
    return most


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())
