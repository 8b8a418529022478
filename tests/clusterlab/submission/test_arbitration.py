from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.class_budget import Limits
from clusterlab.submission.arbitration import (
    DUE_SOON,
    PATIENCE,
    Capacity,
    Used,
    Verdict,
    arbitrate,
    has_waited,
    never,
)
from clusterlab.submission.ticket import HOLDING, State, Ticket
from tests.clusterlab.submission.conftest import NOON, limits
from tests.clusterlab.submission.conftest import ticket as usual_ticket

STUDENTS = ("ana", "ben", "cleo")
MINUTE = timedelta(minutes=1)


def ticket(name: str = "t1", student: str = "ana", **changes: Any) -> Ticket:
    """One that has waited for a minute."""
    return usual_ticket(name, student, **{"joined": NOON - MINUTE} | changes)


def capacity(gpus: int, others: int = 0) -> Capacity:
    return Capacity(gpus=Decimal(gpus), others=Decimal(others))


def order(verdicts: Sequence[Verdict]) -> list[str]:
    return [each.ticket.id for each in verdicts]


def starts(verdicts: Sequence[Verdict]) -> set[str]:
    return {each.ticket.id for each in verdicts if each.starts}


def test_who_used_less_goes_first_whoever_came_first() -> None:
    tickets = [ticket("a", joined=NOON - 5 * MINUTE), ticket("b", "ben")]
    used = {"ana": Used(gpu_hours=Decimal(3), weighted_gpu_hours=Decimal(3))}
    verdicts = arbitrate(tickets, used, capacity(1), limits(), NOON)
    assert order(verdicts) == ["b", "a"]
    assert starts(verdicts) == {"b"}
    assert verdicts[1].why == "0 of the 1 GPUs that it asks for are free"


def test_what_somebody_runs_counts_as_if_it_took_all_that_it_may() -> None:
    running = ticket("r", state=State.RUNNING, started=NOON)
    verdicts = arbitrate([running, ticket("a"), ticket("b", "ben")], {}, capacity(2), limits(), NOON)
    assert order(verdicts) == ["b", "a"]


def test_of_many_from_one_student_the_second_waits_for_the_others() -> None:
    tickets = [ticket(f"a{number}", joined=NOON - (9 - number) * MINUTE) for number in range(3)]
    verdicts = arbitrate([*tickets, ticket("b", "ben")], {}, capacity(9), limits(), NOON)
    assert order(verdicts) == ["a0", "b", "a1", "a2"]


def test_a_lab_that_is_due_goes_first_among_equals_and_not_before_who_used_less() -> None:
    due = ticket("a", due=NOON + DUE_SOON, joined=NOON)
    others = [ticket("b", "ben", due=NOON + DUE_SOON + MINUTE), ticket("c", "cleo", due=NOON - MINUTE)]
    assert order(arbitrate([due, *others], {}, capacity(3), limits(), NOON)) == ["a", "b", "c"]
    used = {"ana": Used(weighted_gpu_hours=Decimal(1))}
    assert order(arbitrate([due, *others], used, capacity(3), limits(), NOON)) == ["b", "c", "a"]


def test_who_is_over_a_limit_holds_nobody_up_and_is_told_why() -> None:
    running = ticket("r", state=State.RUNNING, started=NOON)
    tickets = [running, ticket("a", joined=NOON - PATIENCE), ticket("b", "ben")]
    verdicts = arbitrate(tickets, {}, capacity(2), limits(gpus=1), NOON)
    assert [each.why for each in verdicts] == ["ana holds 1 of 1 GPUs", ""]
    used = {"ana": Used(gpu_hours=Decimal("6.5"))}
    [verdict] = arbitrate([ticket("a")], used, capacity(2), limits(gpu_hours=8), NOON)
    assert verdict.why == "ana would come to 8.50 of 8 GPU-hours in the window"


def test_gpus_are_kept_for_who_has_waited_long_and_not_where_the_cluster_cannot_give_them() -> None:
    large = ticket("large", gpus=Decimal(4), joined=NOON - PATIENCE)
    running = ticket("r", "cleo", gpus=Decimal(2), state=State.RUNNING, started=NOON)
    small = ticket("small", "ben")
    verdicts = arbitrate([large, running, small], {}, capacity(4), limits(), NOON)
    assert (order(verdicts), starts(verdicts)) == (["large", "small"], set())
    assert verdicts[1].why == "0 of the 1 GPUs that it asks for are free, others are kept for who has waited longer"
    assert starts(arbitrate([replace(large, joined=NOON), running, small], {}, capacity(4), limits(), NOON)) == {
        "small"
    }
    assert starts(arbitrate([large, running, small], {}, capacity(4, others=1), limits(), NOON)) == {"small"}


def test_what_can_never_start_says_so() -> None:
    asked = ticket(gpus=Decimal(2), hours=Decimal(5))
    assert never(asked, capacity(1), limits()) == "asks for 2 GPUs; allowed: at most the 1 that the cluster has"
    allowed = limits(gpus=1)
    assert never(asked, capacity(2), allowed) == "asks for 2 GPUs; allowed: at most 1 for each student at once"
    message = "may take 10 GPU-hours; allowed: at most 8 for each student in the window"
    assert never(asked, capacity(2), limits(gpu_hours=8)) == message
    assert never(asked, capacity(2), limits(gpus=2, gpu_hours=10)) == ""


_SMALL = st.integers(0, 8).map(Decimal)
_LIMITS = st.builds(
    Limits,
    gpus=st.none() | _SMALL,
    gpu_hours=st.none() | st.integers(0, 20).map(Decimal),
    window_days=st.just(7),
)
_USED = st.builds(Used, gpu_hours=_SMALL, weighted_gpu_hours=_SMALL)


@st.composite
def tickets(draw: st.DrawFn) -> list[Ticket]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        state = draw(st.sampled_from([State.WAITING, State.WAITING, State.GRANTED, State.RUNNING]))
        found.append(
            ticket(
                f"t{number}",
                draw(st.sampled_from(STUDENTS)),
                gpus=draw(st.integers(0, 4).map(Decimal)),
                hours=draw(st.integers(0, 5).map(Decimal)),
                due=draw(st.none() | st.integers(-9, 99).map(lambda hours: NOON + timedelta(hours=hours))),
                state=state,
                joined=NOON - timedelta(minutes=draw(st.integers(0, 200))),
                started=NOON - timedelta(minutes=draw(st.integers(0, 99))) if state in HOLDING else None,
            )
        )
    return found


@given(tickets(), st.dictionaries(st.sampled_from(STUDENTS), _USED), st.integers(0, 8), st.integers(0, 3), _LIMITS)
def test_nobody_starts_over_a_limit_and_nothing_that_could_start_waits(
    asked: list[Ticket], used: dict[str, Used], gpus: int, others: int, allowed: Limits
) -> None:
    has = capacity(gpus, others)
    verdicts = arbitrate(asked, used, has, allowed, NOON)
    assert sorted(order(verdicts)) == sorted(each.id for each in asked if each.state is State.WAITING)
    begun = [each.ticket for each in verdicts if each.starts]
    holding = [each for each in asked if each.state in HOLDING]
    free = has.gpus - has.others - sum(each.gpus for each in [*holding, *begun])
    assert free >= 0 or not any(each.gpus for each in begun)
    after = [
        *holding,
        *(replace(each, state=State.GRANTED, started=NOON) for each in begun),
    ]
    for student in {each.student for each in begun}:
        assert _within(student, after, used, allowed)
    if not any(has_waited(each.ticket, NOON) for each in verdicts if not each.starts):
        for each in verdicts:
            more = [*after, replace(each.ticket, state=State.GRANTED, started=NOON)]
            possible = each.ticket.gpus <= free and _within(each.ticket.student, more, used, allowed)
            assert each.starts or not possible


def _within(student: str, holding: Sequence[Ticket], used: dict[str, Used], allowed: Limits) -> bool:
    """Counted anew: what a student holds, and the hours that are used or may be."""
    own = [each for each in holding if each.student == student]
    gpus = sum((each.gpus for each in own), Decimal(0))
    elapsed = {each.id: Decimal((NOON - (each.started or NOON)) // MINUTE) / 60 for each in own}
    hours = used.get(student, Used()).gpu_hours
    hours += sum((each.gpus * max(each.hours, elapsed[each.id]) for each in own), Decimal(0))
    return (allowed.gpus is None or gpus <= allowed.gpus) and (allowed.gpu_hours is None or hours <= allowed.gpu_hours)


@settings(max_examples=30)
@given(st.data(), st.integers(1, 4))
def test_nobody_waits_for_ever(data: st.DataObject, gpus: int) -> None:
    """A large job of whom everybody goes before, in a stream of small ones that never ends."""
    large = ticket("large", gpus=Decimal(gpus), joined=NOON)
    used = {"ana": Used(weighted_gpu_hours=Decimal(1000))}
    step, longest = timedelta(minutes=10), 6
    live, now, number = [large], NOON, 0
    while now <= NOON + PATIENCE + longest * step:
        ends = data.draw(st.integers(1, longest))
        live = [each for each in live if each.ended is None or each.ended > now]
        live += [ticket(f"s{number + more}", "ben", joined=now) for more in range(gpus)]
        number += gpus
        begun = starts(arbitrate(live, used, capacity(gpus), limits(), now))
        if "large" in begun:
            return
        live = [
            replace(each, state=State.RUNNING, started=now, ended=now + ends * step) if each.id in begun else each
            for each in live
        ]
        now += step
    raise AssertionError("it waited for ever")
