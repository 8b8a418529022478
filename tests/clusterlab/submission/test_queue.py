from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.queue import EXPIRY, LOOK_SECONDS, Queue
from clusterlab.submission.ticket import State
from tests.clusterlab.ledger.conftest import NOON, Clock
from tests.clusterlab.submission.conftest import limits, look, ticket

FORK: Any = multiprocessing.get_context("fork")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NUM_STUDENTS, NUM_EACH, NUM_GPUS = 20, 5, 4


def state(queue: Queue, name: str) -> State:
    return queue.ticket(name).state


def test_who_fits_starts_and_who_does_not_is_told_why(queue: Queue) -> None:
    for name, student in (("a", "ana"), ("b", "ben"), ("c", "cleo")):
        queue.join(ticket(name, student))
    found = queue.arbitrate(look(2))
    assert [each.ticket.id for each in found.verdicts if each.starts] == ["a", "b"]
    assert (state(queue, "a"), state(queue, "c")) == (State.GRANTED, State.WAITING)
    queue.start("a")
    holding, waiting = queue.standing()
    assert [(each.id, each.state) for each in holding] == [("a", State.RUNNING), ("b", State.GRANTED)]
    assert [(each.ticket.id, each.why) for each in waiting] == [("c", "0 of the 1 GPUs that it asks for are free")]


def test_whoever_waits_starts_as_soon_as_another_ends_without_a_look(queue: Queue) -> None:
    for name, student in (("a", "ana"), ("b", "ben")):
        queue.join(ticket(name, student))
    queue.arbitrate(look(1))
    queue.end("a")
    queue.end("a", State.WITHDRAWN)
    assert (state(queue, "a"), state(queue, "b")) == (State.ENDED, State.GRANTED)


def test_what_runs_without_a_ticket_leaves_so_much_less(queue: Queue) -> None:
    queue.join(ticket("a"))
    assert not any(each.starts for each in queue.arbitrate(look(2, bare=2)).verdicts)
    assert any(each.starts for each in queue.arbitrate(look(2, bare=1)).verdicts)


def test_a_client_that_is_not_heard_of_blocks_nobody_and_goes_on_where_it_was(queue: Queue, clock: Clock) -> None:
    for name, student in (("a", "ana"), ("b", "ben"), ("c", "cleo")):
        queue.join(ticket(name, student))
    queue.arbitrate(look(1))
    clock.now += EXPIRY + SECOND
    queue.beat("b")
    found = queue.arbitrate(look(1))
    assert {each.id for each in found.expired} == {"a", "c"}
    assert [state(queue, name) for name in "abc"] == [State.EXPIRED, State.GRANTED, State.EXPIRED]
    with pytest.raises(ClusterlabError, match="a: lost its turn: it was not heard of for 60 s"):
        queue.start("a")
    again = queue.beat("c")
    assert (again.state, again.joined) == (State.WAITING, NOON)


def test_ray_knows_what_runs_and_what_is_over_whatever_became_of_its_client(queue: Queue, clock: Clock) -> None:
    for number, student in enumerate(("ana", "ben", "cleo", "dan")):
        queue.join(ticket(f"t{number}", student))
    queue.arbitrate(look(4))
    queue.start("t1")
    queue.start("t2")
    clock.now += HOUR
    found = queue.arbitrate(look(4, "t0", over={"t1": NOON + HOUR / 2}))
    assert [each.id for each in found.expired] == ["t3"]
    assert state(queue, "t0") is State.RUNNING
    assert queue.ticket("t1").ended == NOON + HOUR / 2
    # Ray's head began anew and knows nothing of it.
    assert queue.ticket("t2").ended == NOON + HOUR


def test_of_all_who_wait_one_looks_at_ray_for_all(queue: Queue, clock: Clock) -> None:
    assert [queue.claim_look() for _ in range(3)] == [True, False, False]
    clock.now += timedelta(seconds=LOOK_SECONDS)
    assert [queue.claim_look() for _ in range(2)] == [True, False]


def test_hours_that_were_used_count_for_the_window_and_older_ones_less_for_the_order(
    queue: Queue, clock: Clock
) -> None:
    hold(queue, clock, "old", "ana", 7 * HOUR)
    clock.now += timedelta(days=3.5) - 4 * HOUR
    hold(queue, clock, "new", "ben", 4 * HOUR)
    for name, student in (("b", "ben"), ("a", "ana")):
        queue.join(ticket(name, student))
    # Half a window after its end, ana's 7 GPU-hours count as 3.5 for the order, and as 7 for her limit.
    [first, second] = queue.arbitrate(look(1)).verdicts
    assert (first.ticket.id, first.why) == ("a", "ana would come to 9.00 of 8 GPU-hours in the window")
    assert (second.ticket.id, second.starts) == ("b", True)
    clock.now += timedelta(days=3.5)
    queue.beat("a")
    queue.end("b")
    assert state(queue, "a") is State.GRANTED


def hold(queue: Queue, clock: Clock, name: str, student: str, duration: timedelta) -> None:
    queue.join(ticket(name, student))
    queue.arbitrate(look(1))
    clock.now += duration
    queue.end(name)


def test_what_the_meter_saw_of_a_job_without_a_ticket_counts_and_of_one_with_it_once(
    queue: Queue, clock: Clock
) -> None:
    hold(queue, clock, "mine", "ana", 3 * HOUR)
    queue.ledger.record(metered("mine", run="mine"))
    queue.ledger.record(metered("raysubmit_1", run=None))
    queue.ledger.record(metered("pool/idle", run=None, student=None))
    queue.join(ticket("next"))
    [verdict] = queue.arbitrate(look(1)).verdicts
    assert verdict.why == "ana would come to 11.00 of 8 GPU-hours in the window"


def metered(job: str, *, run: str | None, student: str | None = "ana") -> Interval:
    """Two of four GPUs for three hours."""
    return Interval(
        resource_id=job,
        kind=Kind.COMPUTE,
        student=student,
        team=None,
        course="llm-2026",
        lab="qlora",
        run=run,
        start=NOON,
        end=NOON + 3 * HOUR,
        shape="2 of 4 GPUs",
        region="pool",
        price_usd_per_hour=Decimal(1),
        price_as_of=date(2026, 11, 1),
        source=Source.RAY,
    )


def take_turns(url: str, number: int, start: Any, seen: Any) -> None:
    """One student's five submissions, one after the other, each held for a moment."""
    ledger = Ledger.open(url)
    queue = Queue(ledger=ledger, course="llm-2026", limits=limits(gpus=1))
    start.wait()
    for each in range(NUM_EACH):
        name = f"s{number}-{each}"
        queue.join(ticket(name, f"s{number}"))
        while state(queue, name) is State.WAITING:
            if queue.claim_look():
                queue.arbitrate(look(NUM_GPUS))
            time.sleep(0.2)
        queue.start(name)
        holding, _ = queue.standing()
        seen.put((name, [other.student for other in holding]))
        queue.end(name)
    ledger.close()


def test_100_submissions_of_20_students_at_once_all_land_and_no_limit_is_passed(url: str) -> None:
    ledger = Ledger.open(url, begin=True)
    Queue(ledger=ledger, course="llm-2026", limits=limits()).begin()
    ledger.close()
    start, seen = FORK.Barrier(NUM_STUDENTS), FORK.Queue()
    children = [FORK.Process(target=take_turns, args=(url, n, start, seen)) for n in range(NUM_STUDENTS)]
    for child in children:
        child.start()
    landed = [seen.get(timeout=120) for _ in range(NUM_STUDENTS * NUM_EACH)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len({name for name, _ in landed}) == NUM_STUDENTS * NUM_EACH
    assert max(len(students) for _, students in landed) <= NUM_GPUS
    assert max(max(Counter(students).values()) for _, students in landed) == 1
