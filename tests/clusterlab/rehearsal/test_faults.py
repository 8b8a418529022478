from __future__ import annotations

import pytest

from clusterlab.errors import InputError
from clusterlab.rehearsal.faults import Fault, Injector

MAX_TRIES = 5
"""How often a client of EC2 asks, by boto3's default."""


def outcomes(injector: Injector, action: str, number: int, zone: str | None = None) -> list[str]:
    replies = [injector.reply_to(action, zone=zone) for _ in range(number)]
    return [reply.code if reply else "" for reply in replies]


def test_no_fault_lets_every_call_through() -> None:
    injector = Injector()
    assert outcomes(injector, "RunInstances", 10, "us-east-1a") == [""] * 10
    assert injector.injected == []


@pytest.mark.parametrize("seed", range(8))
def test_a_client_that_tries_as_often_as_boto3_gets_past_throttling(seed: int) -> None:
    injector = Injector(faults=frozenset([Fault.THROTTLE]), seed=seed)
    codes = outcomes(injector, "RunInstances", MAX_TRIES)
    assert codes.count("RequestLimitExceeded") == 2
    assert "" in codes
    assert len(injector.injected) == 2


def test_the_same_seed_hits_the_same_calls() -> None:
    first, again, other = (
        outcomes(Injector(faults=frozenset([Fault.THROTTLE]), seed=seed), "DescribeInstances", 5) for seed in (3, 3, 4)
    )
    assert first == again
    seeds = {
        tuple(outcomes(Injector(faults=frozenset([Fault.THROTTLE]), seed=seed), "DescribeInstances", 5))
        for seed in range(20)
    }
    assert len(seeds) > 1
    assert len(other) == 5


def test_capacity_is_missing_in_the_zone_that_is_asked_first_and_only_there() -> None:
    injector = Injector(faults=frozenset([Fault.CAPACITY]))
    assert outcomes(injector, "RunInstances", 2, "us-east-1b") == ["InsufficientInstanceCapacity"] * 2
    assert outcomes(injector, "RunInstances", 1, "us-east-1a") == [""]
    assert outcomes(injector, "RunInstances", 1, "us-east-1b") == ["InsufficientInstanceCapacity"]


def test_a_broken_cloud_launches_at_the_second_call_and_loses_its_first_answer_to_an_ending() -> None:
    injector = Injector(faults=frozenset([Fault.API_500]))
    launches = [injector.reply_to("RunInstances", zone="us-east-1a") for _ in range(2)]
    endings = [injector.reply_to("TerminateInstances", zone=None) for _ in range(2)]
    assert [reply and (reply.code, reply.after) for reply in launches] == [("InternalError", False), None]
    assert [reply and (reply.code, reply.after) for reply in endings] == [("InternalError", True), None]
    assert injector.reply_to("DescribeInstances", zone=None) is None


def test_the_answer_to_the_first_launch_is_lost_and_the_machine_is_not() -> None:
    injector = Injector(faults=frozenset([Fault.LOST_ANSWER]))
    replies = [injector.reply_to("RunInstances", zone="us-east-1a") for _ in range(2)]
    assert [reply and reply.after for reply in replies] == [True, None]


def test_a_name_that_is_no_fault_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="--fault: 'quake'; allowed: preempt, capacity"):
        Fault.parse("quake")


def test_of_two_faults_each_hits_a_call_of_its_own() -> None:
    injector = Injector(faults=frozenset([Fault.API_500, Fault.LOST_ANSWER]))
    replies = [injector.reply_to("RunInstances", zone="a") for _ in range(3)]
    assert [reply and reply.after for reply in replies] == [False, True, None]
    assert injector.hit == {Fault.API_500, Fault.LOST_ANSWER}
