from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clusterlab.class_budget import Limits
from clusterlab.rehearsal.course.turns import check_turns, most_at_once
from clusterlab.rehearsal.steps import StepError
from clusterlab.submission.ticket import State, Ticket

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
LIMITS = Limits(gpus=Decimal(1), gpu_hours=None, window_days=7)


def ticket(student: str, start: int, end: int, gpus: int = 1) -> Ticket:
    """One that joined at noon, and held its machines between two minutes after it."""
    return Ticket(
        id=f"{student}-{start}",
        course="demo",
        student=student,
        lab="fsdp",
        fingerprint="f",
        folder="f",
        gpus=Decimal(gpus),
        hours=Decimal(1),
        due=None,
        state=State.ENDED,
        joined=NOON,
        beat=NOON,
        started=NOON + timedelta(minutes=start),
        ended=NOON + timedelta(minutes=end),
    )


def test_what_begins_as_another_ends_is_not_beside_it() -> None:
    assert most_at_once([ticket("ana", 0, 2), ticket("ben", 2, 3), ticket("carla", 1, 2)]) == 2


def test_turns_within_the_cluster_and_the_limits_pass_and_their_waits_are_told() -> None:
    said = check_turns([ticket("ana", 0, 2), ticket("ben", 1, 3), ticket("ana", 2, 4)], LIMITS, 2)
    assert said == "never more than 2 of 2 machines held at once; waited 60 s in the middle, 120 s at most"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([ticket("ana", 0, 2), ticket("ben", 1, 3), ticket("carla", 1, 2)], r"the queue: 3 of 2 were held at once"),
        ([ticket("ana", 0, 2), ticket("ana", 1, 3)], r"the queue: ana held 2 of 1 at once"),
        ([replace(ticket("ana", 0, 2), state=State.RUNNING, ended=None)], r"the queue: ana-0 is running"),
        ([], r"the queue: nobody was in it"),
    ],
)
def test_who_held_too_much_or_is_not_over_is_a_failure(given: list[Ticket], message: str) -> None:
    with pytest.raises(StepError, match=message):
        check_turns(given, LIMITS, 2)
