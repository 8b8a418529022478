"""The end of a class while everything goes wrong, by schedules with a seed: nothing is lost, and nothing left."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clusterlab.course.ending.down import Down
from tests.clusterlab.course.ending.conftest import Course
from tests.clusterlab.reaper.conftest import COURSE, _error

SEEDS = range(2)
STEPS = ("gate", "clusters", "machines", "ledger", "stack", "rest", "second look", "ledger again", "proof")


class Killed(BaseException):
    """The process is gone: nothing after this is done."""


@contextmanager
def meeting(course: Course, name: str, met: Callable[..., Any]) -> Iterator[None]:
    """Have each call of the cloud meet something first."""
    events = course.account.cloud.session.events
    events.register_first(name, met, unique_id="fault")
    # Clients take the session's events when they are made.
    course.account.cloud._clients.clear()
    try:
        yield
    finally:
        events.unregister(name, unique_id="fault")
        course.account.cloud._clients.clear()


def answered(request: Any, code: str) -> Any:
    response = _error(request, code)
    # moto answers too, and would do what is refused here, if it knew the address.
    request.url = "https://refused.invalid/"
    return response


def a_class(course: Course, count: int = 4) -> list[str]:
    server = course.machine({"course": COURSE, "lab": "infra", "lease-until": "20261225t000000z"})
    course.stack.machines.append(server)
    machines = [server, *(course.launch(f"r{number}") for number in range(count))]
    course.meter()
    return machines


def all_ended(course: Course, machines: list[str], count: int = 4) -> None:
    """Nothing is left, all that there was is in the proof, and each run was settled once."""
    assert course.alive() == []
    document = course.document
    assert (document["proven"], document["problems"]) == (True, [])
    assert {each["id"] for each in document["resources"]} >= set(machines)
    assert document["ledger"]["runs_by_last_row"] == {"settle": count}
    assert [course.rows(f"r{number}").count("settle") for number in range(count)] == [1] * count
    course.check_books()


@pytest.mark.parametrize("seed", SEEDS)
def test_throttling_on_every_call(course: Course, seed: int) -> None:
    chance, tries, throttled = random.Random(seed), Counter[str](), []
    machines = a_class(course)

    def throttle(request: Any, **_: Any) -> Any:
        call = f"{request.url} {request.body!r}"
        tries[call] += 1
        # Each call is refused at first, and up to three times.
        if tries[call] <= 1 or (tries[call] <= 3 and chance.random() < 0.5):
            throttled.append(call)
            return answered(request, "RequestLimitExceeded")
        tries[call] = 0
        return None

    with meeting(course, "before-send", throttle):
        course.down()
    assert len(throttled) > 30
    all_ended(course, machines)


@pytest.mark.parametrize("code", ["OperationNotPermitted", "InternalError"])
def test_half_the_terminations_fail_twice(course: Course, code: str) -> None:
    machines = a_class(course, 8)
    failing = set(random.Random(code).sample(machines[1:], 4))
    failed: Counter[str] = Counter()

    def refuse(request: Any, **_: Any) -> Any:
        named = {value for key, value in parse_qsl(_text(request.body)) if key.startswith("InstanceId.")}
        due = {each for each in named & failing if failed[each] < 2}
        # Of several in one call nobody says which one it was; each fails twice by itself.
        failed.update(due if len(named) == 1 or code == "InternalError" else ())
        return answered(request, code) if due else None

    with meeting(course, "before-send.ec2.TerminateInstances", refuse):
        course.down()
    assert failed == dict.fromkeys(failing, 2)
    all_ended(course, machines, 8)


def test_a_look_that_failed_after_the_end_is_made_anew_before_the_wait(course: Course) -> None:
    machines, calls = a_class(course), itertools.count(1)
    course.stack.machines.clear()

    def refuse(request: Any, **_: Any) -> Any:
        return answered(request, "UnauthorizedOperation") if next(calls) == 2 else None

    with meeting(course, "before-send.ec2.DescribeVolumes", refuse):
        proof = course.down(books=False)
    assert proof is not None
    assert proof.proven
    assert [each["num_not_scanned"] for each in course.document["looks"]] == [0, 0, 0]
    assert (course.alive(), course.slept.count(120.0)) == ([], 1)
    assert {each["id"] for each in course.document["resources"]} >= set(machines)


def test_a_student_takes_the_tags_away(course: Course) -> None:
    """No scan by tag sees them; the ledger's ids do, and their use is the student's until the end."""
    machines = a_class(course)
    hidden = random.Random(7).sample(machines[1:], 2)
    ec2 = course.account.ec2()
    for each in hidden:
        [found] = ec2.describe_instances(InstanceIds=[each])["Reservations"][0]["Instances"]
        ec2.delete_tags(Resources=[each], Tags=[{"Key": tag["Key"]} for tag in found["Tags"]])
    # The meter takes them for gone.
    course.account.later(hours=1)
    course.meter()
    assert sum(each.end is None and each.kind == "compute" for each in course.ledger().intervals()) == 3
    course.down()
    all_ended(course, machines)
    uses = [each for each in course.ledger().intervals() if each.resource_id in hidden]
    assert {each.student for each in uses} == {"ana"}
    for each in hidden:
        parts = sorted((use for use in uses if use.resource_id == each), key=lambda use: use.start)
        # Without a gap: what was not seen in between was used all the same.
        assert [use.end for use in parts[:-1]] == [use.start for use in parts[1:]]
        assert len(parts) == 2


def test_a_machine_that_bears_another_course_s_tag_is_that_course_s(course: Course) -> None:
    machines = a_class(course, 2)
    ec2 = course.account.ec2()
    ec2.create_tags(Resources=[machines[1]], Tags=[{"Key": "course", "Value": "nlp-2026"}])
    course.down()
    assert course.alive() == [machines[1]]


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_ten_minutes_from_the_cloud_s(course: Course, minutes: int) -> None:
    course.account.later(minutes=minutes)
    # What others wrote on the ledger is of whichever clock was ahead.
    course.machine_clock = lambda: max(datetime.now(UTC), course.account.now)
    machines = a_class(course)
    ending = course.ending()
    assert ending.books is not None
    opened = course.ledger

    def by_this_machine() -> Any:
        # As SQLite has it: the clock of this machine, which is `minutes` off.
        ledger = opened()
        object.__setattr__(ledger, "clock", None)
        return ledger

    object.__setattr__(ending.books, "opened", by_this_machine)
    proof = ending.run(ending.look())
    assert proof.done
    all_ended(course, machines)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_then_again(course: Course, step: str) -> None:
    machines = a_class(course)

    def die(name: str) -> None:
        if name == step:
            raise Killed

    course.on_step = die
    with pytest.raises(Killed):
        course.down()
    assert course.document["ended"] is None
    course.on_step = lambda _: None
    course.down()
    all_ended(course, machines)
    assert course.down() is None


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_call_of_the_cloud_again_and_again(course: Course, seed: int) -> None:
    machines, chance, deaths = a_class(course), random.Random(seed), 0
    for _ in range(4):
        calls = iter(range(chance.randrange(3, 40)))

        def die(calls: Iterator[int] = calls, **_: Any) -> None:
            if next(calls, None) is None:
                raise Killed

        try:
            with meeting(course, "before-send.ec2", die):
                course.down()
        except Killed:
            deaths += 1
    course.down()
    all_ended(course, machines)
    assert deaths


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)


def test_the_steps_that_are_killed_are_all_there_are(course: Course) -> None:
    a_class(course, 1)
    ending: Down = course.ending()
    ending.run(ending.look())
    assert tuple(course.steps) == STEPS
