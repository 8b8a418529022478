"""What SkyPilot's errors and records are to a fleet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from clusterlab.course.fleet.launcher import Condition, Fault, LaunchError
from clusterlab.errors import UnreachableError
from tests.needs import needs_skypilot

pytestmark = needs_skypilot


def told(error: BaseException) -> Any:
    from clusterlab.course.fleet.skypilot import told

    return told(error)


def failed(sky: Any, *places: str) -> Any:
    """A launch that failed at these places, as it comes out of SkyPilot's server."""
    history = [sky.exceptions.ResourcesUnavailableError(each) for each in places]
    summary = "\x1b[33mFailed to provision all possible launchable resources.\x1b[0m\n" + "\n".join(places)
    error = sky.exceptions.ResourcesUnavailableError(summary, failover_history=history)
    return sky.exceptions.deserialize_exception(sky.exceptions.serialize_exception(error))


def full(sky: Any, reason: str | None = None) -> str:
    """SkyPilot's own words for a region that had no such machine, whatever the cloud said."""
    from sky.backends.cloud_vm_ray_backend import RetryingVmProvisioner

    asked = sky.Resources(infra="aws/us-east-1", instance_type="g6.xlarge")
    text: str = RetryingVmProvisioner._insufficient_resources_msg(None, asked, {asked}, None, last_error_reason=reason)
    return text


def test_where_no_place_has_a_machine_it_may_pass_and_the_last_place_is_told(sky: Any) -> None:
    found = told(failed(sky, "Found no quota for p5.48xlarge", full(sky)))
    assert found.fault is Fault.CAPACITY
    assert str(found).startswith("Failed to acquire resources in all zones in us-east-1 for ")


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("An error occurred (RequestLimitExceeded) when calling the RunInstances operation", Fault.THROTTLED),
        ("Found no quota for g6.xlarge on-demand instances in region us-east-1 in AWS.", Fault.FAILED),
    ],
)
def test_what_the_places_say_decides_whether_it_may_pass(sky: Any, place: str, fault: Fault) -> None:
    found = told(failed(sky, place))
    assert (found.fault, str(found)) == (fault, place)


def test_without_a_place_or_without_the_right_nothing_comes_free(sky: Any) -> None:
    assert told(failed(sky)).fault is Fault.FAILED
    assert told(failed(sky, full(sky, "Permission denied: ec2:RunInstances"))).fault is Fault.FAILED


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
