"""What SkyPilot's errors and records are to a fleet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from clusterlab import skypilot
from clusterlab.course.fleet.launcher import Condition, Fault, LaunchError
from clusterlab.errors import UnreachableError

pytestmark = pytest.mark.skipif(skypilot.version() is None, reason=f"needs SkyPilot: `{skypilot.INSTALL}`")


def told(error: BaseException) -> Any:
    from clusterlab.course.fleet.skypilot import told

    return told(error)


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        (["An error occurred (InsufficientInstanceCapacity) when calling RunInstances"], Fault.CAPACITY),
        (["(ZONE_RESOURCE_POOL_EXHAUSTED) The zone has no such GPU"], Fault.CAPACITY),
        (["An error occurred (RequestLimitExceeded) when calling RunInstances"], Fault.THROTTLED),
        (["InsufficientInstanceCapacity", "ThrottlingException: Rate exceeded"], Fault.THROTTLED),
        (["(VcpuLimitExceeded) You have requested more vCPU capacity than your current limit of 8"], Fault.FAILED),
        ([], Fault.FAILED),
    ],
)
def test_of_the_places_that_were_tried_it_is_known_whether_it_may_pass(
    sky: Any, history: list[str], fault: Fault
) -> None:
    error = sky.exceptions.ResourcesUnavailableError(
        "\x1b[33mFailed to provision all possible launchable resources.\x1b[0m\nRelax the requirements",
        failover_history=[RuntimeError(each) for each in history],
    )
    found = told(error)
    assert found.fault is fault
    wanted = (
        history[-1] if history else "Failed to provision all possible launchable resources.; Relax the requirements"
    )
    assert str(found) == wanted


def test_a_refusal_of_the_policy_is_told_in_its_words_alone(sky: Any) -> None:
    text = "RuntimeError: the course refuses it\nstudent ana: 5.00 USD asked, 0.01 of 1.00 free"
    found = told(sky.exceptions.UserRequestRejectedByPolicy(text))
    assert (found.fault, str(found)) == (Fault.REFUSED, "student ana: 5.00 USD asked, 0.01 of 1.00 free")


def test_a_server_that_does_not_answer_or_was_stopped_says_nothing_against_the_launch(sky: Any) -> None:
    assert isinstance(told(requests.ConnectionError("refused")), UnreachableError)
    assert isinstance(told(sky.exceptions.ApiServerConnectionError("http://127.0.0.1:46580")), UnreachableError)
    assert told(sky.exceptions.ServerTemporarilyUnavailableError("stopping")).fault is Fault.INTERRUPTED
    assert told(ValueError("no such cloud")).fault is Fault.FAILED


def test_what_skypilot_raises_of_whatever_class_becomes_an_error_of_ours(sky: Any) -> None:
    from clusterlab.course.fleet.skypilot import _answer

    def unheard_of() -> None:
        raise NotImplementedError("clusters of that kind")

    with pytest.raises(LaunchError, match=r"clusters of that kind"):
        _answer(unheard_of)
    assert _answer(lambda: sky.ClusterStatus.UP) is sky.ClusterStatus.UP


@pytest.mark.parametrize(
    ("status", "kind", "condition"),
    [
        ("UP", None, Condition.UP),
        ("STOPPED", None, Condition.STOPPED),
        ("INIT", "launching", Condition.HALF),
        ("INIT", None, Condition.HALF),
        ("INIT", "unhealthy", Condition.SICK),
    ],
)
def test_a_record_is_up_stopped_half_launched_or_unhealthy(
    sky: Any, status: str, kind: str | None, condition: Condition
) -> None:
    from clusterlab.course.fleet.skypilot import _seen

    labels = {"course": "llm-2026", "student": "ana"}
    record = SimpleNamespace(
        name="ana", status=sky.ClusterStatus[status], init_kind=kind, labels=labels, autostop=-1, to_down=False
    )
    seen = _seen(record)
    assert (seen.condition, seen.labels, seen.idle_minutes, seen.down) == (condition, labels, None, False)
