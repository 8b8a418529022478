"""What Ray 2.60 answered, recorded, with GPUs put in as its agents report them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clusterlab.course.status.gpu import Gpu, State
from clusterlab.course.status.job import State as JobState
from clusterlab.course.status.shared_ray import RayLook, ask
from clusterlab.errors import UnreachableError
from tests.clusterlab.course.status.conftest import Dashboard

RUNNING, WAITING = "raysubmit_xccSd1ephQGQtiBZ", "raysubmit_u2bkQ9MXfXDfxLT7"


def look(dashboard: Dashboard) -> RayLook:
    return ask(dashboard.address, "a-token")


def states(dashboard: Dashboard) -> list[State]:
    return [each.state for each in look(dashboard).gpus]


def test_jobs_run_or_wait_and_are_somebody_s(dashboard: Dashboard) -> None:
    first, second = look(dashboard).jobs
    assert (first.id, first.state, first.student, first.gpus) == (RUNNING, JobState.RUNNING, "ana", Decimal("1.0"))
    assert (second.id, second.state, second.student, second.gpus) == (WAITING, JobState.WAITING, "ben", Decimal(0))
    assert first.since is not None
    assert f"{first.since:%Y-%m-%d}" == "2026-11-28"


def test_gpus_that_a_node_has_and_says_nothing_of_are_not_measured(dashboard: Dashboard) -> None:
    [found] = look(dashboard).gpus
    assert (found.count, found.percent, found.jobs, found.students) == (2, None, (RUNNING,), ("ana",))


def test_a_node_without_gpus_has_none(dashboard: Dashboard) -> None:
    del dashboard.node["raylet"]["resourcesTotal"]["GPU"]
    assert look(dashboard).gpus == ()


def test_each_gpu_is_measured(dashboard: Dashboard) -> None:
    dashboard.measure(0, 93)
    idle, busy = look(dashboard).gpus
    assert (idle.percent, idle.state, busy.percent, busy.state) == (0, State.LOW, 93, State.BUSY)
    assert (idle.index, idle.uuid, idle.model, idle.memory_mb) == (0, "GPU-0", "NVIDIA L4", (512, 23034))


def test_a_gpu_that_does_not_tell_is_not_taken_for_an_idle_one(dashboard: Dashboard) -> None:
    dashboard.measure(None, 50)
    assert states(dashboard) == [State.UNMEASURED, State.BUSY]


def other_node(dashboard: Dashboard, **changes: Any) -> dict[str, Any]:
    added = dashboard.node | {"raylet": dashboard.node["raylet"] | {"nodeId": "b" * 56}, "ip": "10.0.0.9"} | changes
    dashboard.answers["/nodes?view=summary"]["data"]["summary"].append(added)
    return added


def test_a_report_that_is_old_says_nothing_of_now(dashboard: Dashboard) -> None:
    dashboard.measure(0, 0)
    other_node(dashboard, now=dashboard.node["now"] + 61)
    assert [each.percent for each in look(dashboard).gpus] == [None, None, 0, 0]


def test_a_node_that_is_gone_has_no_gpus(dashboard: Dashboard) -> None:
    dashboard.measure(0, 0)
    dashboard.node["raylet"]["state"] = "DEAD"
    assert look(dashboard).gpus == ()


def test_jobs_hold_the_gpus_of_their_own_node(dashboard: Dashboard) -> None:
    dashboard.measure(0)
    other_node(dashboard)
    jobs = {each.machine: each.jobs for each in look(dashboard).gpus if each.percent == 0}
    assert jobs == {dashboard.node["ip"]: (RUNNING,), "10.0.0.9": ()}


def test_a_process_on_a_gpu_says_whose_of_several_it_is(dashboard: Dashboard) -> None:
    dashboard.measure(0, 0)
    waiting, running = dashboard.answers["/api/v0/actors"]["data"]["result"]["result"]
    waiting |= {"state": "ALIVE", "node_id": running["node_id"], "pid": 4711}
    dashboard.node["gpus"][1]["processesPids"] = [{"pid": 4711, "gpuMemoryUsage": 512, "gpuUtilization": None}]

    def whose(gpu: Gpu) -> tuple[str, ...]:
        return gpu.students

    assert [whose(each) for each in look(dashboard).gpus] == [("ana", "ben"), ("ben",)]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/nodes?view=summary", {"result": False, "msg": "no", "data": {}}),
        ("/nodes?view=summary", []),
        ("/api/jobs/", [{"else": 1}]),
    ],
)
def test_an_answer_that_is_no_ray_s_is_an_error_of_its_own(dashboard: Dashboard, path: str, answer: Any) -> None:
    dashboard.answers[path] = answer
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:\d+: answers what no Ray does"):
        look(dashboard)


def test_a_dashboard_that_is_broken_is_named(dashboard: Dashboard) -> None:
    dashboard.broken = 503
    with pytest.raises(UnreachableError, match=r"/api/jobs/: answers 503"):
        look(dashboard)
