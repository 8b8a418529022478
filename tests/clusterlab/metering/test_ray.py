"""What Ray 2.60 answers, and a dashboard that does not; tests/jobs/launch/test_metered.py asks a real one."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from clusterlab.errors import UnreachableError
from clusterlab.metering import ray

SUBMITTED: list[dict[str, Any]] = [
    {"submission_id": "raysubmit_a", "job_id": "02000000", "status": "RUNNING", "metadata": {"student": "ana"}},
    {"submission_id": "raysubmit_b", "job_id": "03000000", "status": "SUCCEEDED", "metadata": {"student": "eva"}},
    {"submission_id": "raysubmit_c", "job_id": None, "status": "PENDING", "metadata": None},
    {"submission_id": None, "job_id": "04000000", "status": "RUNNING", "metadata": {}},
]
NODES: list[dict[str, Any]] = [
    {"state": "ALIVE", "resources_total": {"CPU": 4.0, "GPU": 1.0}},
    {"state": "ALIVE", "resources_total": {"CPU": 2.0}},
    {"state": "DEAD", "resources_total": {"CPU": 64.0, "GPU": 8.0}},
]


def actor(driver: str = "02000000", **values: Any) -> dict[str, Any]:
    usual = {
        "job_id": driver,
        "name": "",
        "state": "ALIVE",
        "placement_group_id": None,
        "required_resources": {"GPU": 0.5},
    }
    return usual | values


def task(**values: Any) -> dict[str, Any]:
    usual = {"job_id": "02000000", "type": "NORMAL_TASK", "state": "RUNNING", "placement_group_id": None}
    return usual | {"required_resources": {"CPU": 1.0}} | values


def group(**values: Any) -> dict[str, Any]:
    bundles = [{"unit_resources": {"CPU": 1.0, "GPU": 0.25}}, {"unit_resources": {"CPU": 1.0}}]
    return {"creator_job_id": "02000000", "state": "CREATED", "bundles": bundles} | values


def held(**listed: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    found = ray.state(SUBMITTED, nodes=NODES, **({"actors": [], "tasks": [], "placement_groups": []} | listed))
    return {each.job: (float(each.gpus), float(each.cpus)) for each in found.holdings}


def test_living_nodes_are_what_there_is() -> None:
    found = ray.state(SUBMITTED, nodes=NODES, actors=[], tasks=[], placement_groups=[])
    assert (float(found.gpus), float(found.cpus)) == (1, 6)


def test_submitted_jobs_that_go_on_are_known_with_their_tags() -> None:
    found = ray.state(SUBMITTED, nodes=NODES, actors=[], tasks=[], placement_groups=[])
    assert {each.job: each.tags for each in found.holdings} == {"raysubmit_a": {"student": "ana"}, "raysubmit_c": {}}


def test_actors_tasks_and_placement_groups_are_summed() -> None:
    assert held(actors=[actor()], tasks=[task()], placement_groups=[group()])["raysubmit_a"] == (0.75, 3)


def test_what_runs_in_a_placement_group_is_held_once() -> None:
    inside = {"placement_group_id": "ab"}
    assert held(actors=[actor(**inside)], tasks=[task(**inside)], placement_groups=[group()])["raysubmit_a"][1] == 2


@pytest.mark.parametrize(
    "listed",
    [
        {"actors": [actor(state="DEAD")]},
        {"actors": [actor(state="PENDING_CREATION")]},
        {"actors": [actor(driver="03000000")]},
        {"tasks": [task(state="FINISHED")]},
        {"tasks": [task(state="PENDING_NODE_ASSIGNMENT")]},
        {"tasks": [task(type="ACTOR_TASK")]},
        {"placement_groups": [group(state="REMOVED")]},
    ],
)
def test_what_waits_or_is_over_holds_nothing(listed: dict[str, Any]) -> None:
    assert held(**listed)["raysubmit_a"] == (0, 0)


def test_what_the_entrypoint_holds_is_the_job_s() -> None:
    supervisor = actor(driver="01000000", name="_ray_internal_job_actor_raysubmit_c", required_resources={"GPU": 1.0})
    assert held(actors=[supervisor])["raysubmit_c"] == (1, 0)


def test_a_dashboard_that_is_not_there_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match=rf"http://127\.0\.0\.1:{port}/api/jobs/: .*refused"):
        ray.ask(f"http://127.0.0.1:{port}", None)
