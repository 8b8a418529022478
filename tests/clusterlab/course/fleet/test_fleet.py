"""Bringing clusters up and taking them in, by SkyPilot's server as `Server` plays it, on its clock."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest

from clusterlab.course.fleet.crew import OUTAGE_SECONDS, TRIES, Crew
from clusterlab.course.fleet.errand import Errand, Phase
from clusterlab.course.fleet.fleet import bring_up, take_in
from clusterlab.course.fleet.launcher import Condition, Fault, Seen, Want
from clusterlab.errors import UnreachableError
from tests.clusterlab.course.fleet.server import LAUNCH_SECONDS, Server

OWNER = {"course": "llm-2026"}


def want(name: str) -> Want:
    labels = OWNER | {"student": name}
    return Want(
        name=name,
        task={"resources": {"labels": labels | {"run": "f00d"}}},
        owner=labels,
        idle_minutes=60,
        idle_minutes_after=10,
    )


def class_of(number: int) -> list[Want]:
    return [want(f"student-{each:02}") for each in range(1, number + 1)]


def seen(name: str, condition: Condition = Condition.UP, *, minutes: int | None = 60, student: str = "") -> Seen:
    labels = OWNER | {"student": student or name}
    return Seen(name=name, condition=condition, labels=labels, idle_minutes=minutes, down=True)


def phases(errands: Iterable[Errand]) -> dict[str, Phase]:
    return {errand.name: errand.phase for errand in errands}


def launches(server: Server) -> list[str]:
    return [name for verb, name, _ in server.asked if verb == "launch"]


class Killed(BaseException):
    """As by `kill -9`: nothing of the fleet runs any more."""


def killed_after(crew: Crew, looks: int) -> Crew:
    """A crew whose process is killed at its so-many-th look."""

    def tell(*_: object) -> None:
        nonlocal looks
        looks -= 1
        if looks < 0:
            raise Killed

    crew.tell = tell
    return crew


def test_what_is_missing_is_launched_side_by_side_and_no_more_than_so_many(server: Server) -> None:
    crew = server.crew(at_once=8)
    errands = bring_up(class_of(24), crew)
    assert set(phases(errands).values()) == {Phase.DONE}
    assert len(launches(server)) == 24
    assert server.most == crew.most_at_once == 8
    # Three rounds of eight, and not twenty-four launches one after another.
    assert server.now < 4 * LAUNCH_SECONDS


def test_what_is_there_is_left_alone(server: Server) -> None:
    server.there = {each.name: seen(each.name) for each in class_of(3)}
    assert set(phases(bring_up(class_of(4), server.crew())).values()) == {Phase.DONE}
    assert launches(server) == ["student-04"]
    assert server.looks == [True, False]
    assert set(phases(bring_up(class_of(4), server.crew())).values()) == {Phase.DONE}
    assert launches(server) == ["student-04"]
    # SkyPilot's fresh look takes seconds for each cluster.
    assert server.looks == [True, False, True]


def test_a_cluster_of_somebody_elses_by_that_name_is_no_cluster_of_the_class(server: Server) -> None:
    server.there = {"student-01": seen("student-01", student="eve")}
    first, second = bring_up(class_of(2), server.crew())
    assert (first.phase, second.phase) == (Phase.FAILED, Phase.DONE)
    assert "student=eve" in first.reason
    assert launches(server) == ["student-02"]


@pytest.mark.parametrize("condition", [Condition.HALF, Condition.STOPPED, Condition.SICK])
def test_what_is_not_up_is_launched_again(server: Server, condition: Condition) -> None:
    server.there = {"student-01": seen("student-01", condition)}
    assert phases(bring_up(class_of(1), server.crew())) == {"student-01": Phase.DONE}
    assert launches(server) == ["student-01"]


def test_what_would_end_before_its_student_comes_is_told_to_wait(server: Server) -> None:
    server.there = {"student-01": seen("student-01", minutes=10)}
    assert phases(bring_up(class_of(1), server.crew())) == {"student-01": Phase.DONE}
    assert server.there["student-01"].idle_minutes == 60
    assert not launches(server)


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.CAPACITY, Fault.INTERRUPTED])
def test_what_may_pass_is_tried_again_after_ever_longer_pauses(server: Server, fault: Fault) -> None:
    server.faults = {"student-01": [fault] * 3}
    assert phases(bring_up(class_of(1), server.crew())) == {"student-01": Phase.DONE}
    times = [at for verb, _, at in server.asked if verb == "launch"]
    pauses = [after - before - LAUNCH_SECONDS for before, after in pairwise(times)]
    assert len(pauses) == 3
    assert pauses[0] >= 15
    assert pauses[1] >= 1.8 * pauses[0]
    assert pauses[2] >= 1.8 * pauses[1]


def test_many_that_were_throttled_together_do_not_come_again_together(server: Server) -> None:
    server.faults = {each.name: [Fault.THROTTLED] for each in class_of(8)}
    crew = server.crew()
    crew.chance = random.Random(7).random
    bring_up(class_of(8), crew)
    again = {at for _, _, at in server.asked[8:]}
    assert len(again) >= 4


def test_what_never_passes_is_given_up_with_its_reason(server: Server) -> None:
    server.faults = {"student-01": [Fault.CAPACITY] * 100}
    first, second = bring_up(class_of(2), server.crew())
    assert (first.phase, first.tries, first.reason) == (Phase.FAILED, TRIES, "the cloud: no capacity")
    assert second.phase is Phase.DONE


@pytest.mark.parametrize(("fault", "phase"), [(Fault.FAILED, Phase.FAILED), (Fault.REFUSED, Phase.REFUSED)])
def test_what_will_not_pass_is_not_tried_again_and_stops_no_other(server: Server, fault: Fault, phase: Phase) -> None:
    server.faults = {"student-02": [fault]}
    found = phases(bring_up(class_of(3), server.crew()))
    assert found == {"student-01": Phase.DONE, "student-02": phase, "student-03": Phase.DONE}
    assert sorted(launches(server)) == ["student-01", "student-02", "student-03"]


def test_a_budget_that_does_not_cover_it_is_told_in_the_policys_words(server: Server) -> None:
    server.refused_at_once = {"student-01"}
    [errand] = bring_up(class_of(1), server.crew())
    assert (errand.phase, errand.tries) == (Phase.REFUSED, 1)
    assert errand.reason == "student student-01: 5.00 USD asked, 0.01 of 1.00 free"


@pytest.mark.parametrize("looks", range(0, 24, 2))
def test_killed_at_any_moment_the_next_run_goes_on_and_launches_nothing_twice(server: Server, looks: int) -> None:
    with pytest.raises(Killed):
        bring_up(class_of(6), killed_after(server.crew(at_once=3), looks))
    assert set(phases(bring_up(class_of(6), server.crew(at_once=3))).values()) == {Phase.DONE}
    assert sorted(launches(server)) == [each.name for each in class_of(6)]
    assert all(each.condition is Condition.UP for each in server.there.values())


@pytest.mark.parametrize("seconds", [0, 30, 61, 120])
def test_a_server_that_was_started_anew_has_its_launches_asked_for_again(server: Server, seconds: int) -> None:
    crew = server.crew(at_once=4)

    def tell(*_: object) -> None:
        if server.requests and server.now >= seconds and not restarts:
            restarts.append(server.now)
            server.restart()

    restarts: list[float] = []
    crew.tell = tell
    assert set(phases(bring_up(class_of(8), crew)).values()) == {Phase.DONE}
    assert restarts
    assert all(each.condition is Condition.UP for each in server.there.values())


def test_an_outage_is_borne_and_a_longer_one_is_told(server: Server) -> None:
    server.gone = (10, 10 + OUTAGE_SECONDS / 2)
    assert set(phases(bring_up(class_of(12), server.crew(at_once=4))).values()) == {Phase.DONE}
    assert len(launches(server)) == 12
    server.gone = (server.now + 10, float("inf"))
    with pytest.raises(UnreachableError, match=r"connection refused"):
        bring_up([want("late")], server.crew())


def test_what_was_said_to_be_up_and_is_not_is_missing(server: Server) -> None:
    crew = server.crew()

    def tell(*_: object) -> None:
        server.there.pop("student-01", None)

    crew.tell = tell
    [errand] = bring_up(class_of(1), crew)
    assert (errand.phase, errand.reason) == (Phase.FAILED, "was launched, and is gone")


@pytest.mark.parametrize("seed", range(10))
def test_under_any_faults_each_is_up_or_has_its_reason(server: Server, seed: int) -> None:
    chance = random.Random(seed)
    everyone = class_of(30)
    for each in everyone:
        server.faults[each.name] = chance.choices(list(Fault), k=chance.randrange(4))
    server.gone = (chance.randrange(200), chance.randrange(200, 500))
    crew = server.crew(at_once=chance.randrange(1, 12), chance=0.0)
    if server.gone[0] == 0:
        server.sleep(500)
    errands = bring_up(everyone, crew)
    up = {name for name, each in server.there.items() if each.condition is Condition.UP}
    assert up == {errand.name for errand in errands if errand.phase is Phase.DONE}
    assert all(errand.reason for errand in errands if errand.phase is not Phase.DONE)
    assert server.most <= crew.at_once


def test_after_the_hours_what_is_there_ends_when_idle_and_what_nobody_launches_ends(server: Server) -> None:
    names = [each.name for each in class_of(5)]
    server.there = {
        names[0]: seen(names[0]),
        names[1]: seen(names[1], minutes=10),
        names[2]: seen(names[2], Condition.HALF),
        names[3]: seen(names[3], student="eve"),
        names[4]: seen(names[4], minutes=None),
    }
    assert phases(take_in(class_of(5), server.crew())) == dict.fromkeys((names[0], names[2], names[4]), Phase.DONE)
    assert [(verb, name) for verb, name, _ in server.asked] == [
        ("autostop", names[0]),
        ("down", names[2]),
        ("autostop", names[4]),
    ]
    assert server.there[names[0]].idle_minutes == 10
    assert take_in(class_of(5), server.crew()) == []


def test_a_launch_under_way_is_not_ended_after_the_hours(server: Server) -> None:
    with pytest.raises(Killed):
        bring_up(class_of(1), killed_after(server.crew(), 1))
    assert take_in(class_of(1), server.crew()) == []
