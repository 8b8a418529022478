from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.catalog import Catalog
from clusterlab.lab import lab_paths
from clusterlab.offers import UNBILLED
from clusterlab.tags import Tags
from tests.clusterlab.conftest import LAB, ROOT, Apply, refused, spoil
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

LEASE_FORMAT = "%Y%m%dt%H%M%Sz"


def resources(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load(LAB)["resources"]
    return given | changes


def tags_of(task: Any) -> Tags:
    """The tags on all alternatives, which must be the same, and what the node is told."""
    [labels] = {tuple(sorted(one.labels.items())) for one in task.resources}
    tags = Tags.parse(task.envs["CLUSTERLAB_TAGS"])
    assert dict(labels) == tags.labels()
    return tags


def written(task: Any) -> Any:
    """A task as SkyPilot sends it, its alternatives in one order, since SkyPilot keeps them in a set."""
    values = task.to_yaml_config()
    values["resources"]["any_of"].sort(key=str)
    return values


def test_every_alternative_carries_all_tags_and_the_node_is_told(apply: Apply) -> None:
    task = apply()
    assert len(list(task.resources)) == 3
    tags = tags_of(task)
    assert (tags.course, tags.lab, tags.student, tags.team) == ("llm-2026", "toy", "ana", None)
    assert tags.run
    until = datetime.strptime(tags.lease_until or "", LEASE_FORMAT).replace(tzinfo=UTC)
    assert timedelta(hours=11) < until - datetime.now(UTC) <= timedelta(hours=12)


def test_a_second_look_changes_nothing(apply: Apply) -> None:
    first = apply()
    before, tags = written(first), tags_of(first)
    again = apply(first, client=False)
    assert written(again) == before
    assert tags_of(again) == tags


def test_each_launch_is_a_run_of_its_own(apply: Apply) -> None:
    assert tags_of(apply()).run != tags_of(apply()).run


def test_team_and_lease_come_from_the_environment(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_TEAM", "red")
    monkeypatch.setenv("CLUSTERLAB_LEASE_HOURS", "1")
    tags = tags_of(apply())
    assert tags.team == "red"
    until = datetime.strptime(tags.lease_until or "", LEASE_FORMAT).replace(tzinfo=UTC)
    assert until - datetime.now(UTC) <= timedelta(hours=1)


def test_a_team_is_that_of_the_class_s_file(
    sky: Any, apply: Apply, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(house / "clusters" / "llm-2026.yaml", "course:", "teams: {red: [ana], blue: [ben]}\ncourse:")
    monkeypatch.setenv("CLUSTERLAB_TEAM", "blue")
    task = apply()
    assert tags_of(task).team == "red"
    assert tags_of(apply(task, client=False)).team == "red"
    labels = {"course": "llm-2026", "lab": "toy"}
    [problem] = refused(sky, apply, resources=resources(labels=labels | {"team": "blue"}))
    assert problem == "toy: resources.labels.team: 'blue' is not ana's; allowed: red"
    assert tags_of(apply(resources=resources(labels=labels | {"student": "zoe"}))).team is None
    with_team = resources(labels=labels | {"student": "zoe", "team": "red"})
    assert "'red' is not zoe's; allowed: no such label" in refused(sky, apply, resources=with_team)[0]


def test_a_user_without_a_label_for_a_name_gets_one(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTERLAB_STUDENT")
    monkeypatch.setattr("getpass.getuser", lambda: r"UNI\Ana.Díaz ")
    assert tags_of(apply()).student == "uni-ana-d-az"


def test_the_node_is_told_the_price_where_there_is_but_one(apply: Apply) -> None:
    assert "CLUSTERLAB_USD_PER_HOUR" not in apply().envs
    one = apply(resources=resources(accelerators="A10G"), num_nodes=2)
    assert Decimal(one.envs["CLUSTERLAB_USD_PER_HOUR"]) == Decimal("2.012")
    spot = resources(accelerators=None, cpus=None, memory=None, infra="aws", instance_type="m5.2xlarge", use_spot=True)
    assert apply(resources=spot).envs["CLUSTERLAB_USD_PER_HOUR"] == "0.18826"


def test_runs_go_to_the_bucket_of_the_course(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_BUCKET", "llm-2026-runs")
    task = apply()
    assert task.envs["CLUSTERLAB_RUNS"] == "/course/runs/ana"
    mount = task.to_yaml_config()["file_mounts"]["/course"]
    assert (mount["source"], mount["mode"]) == ("s3://llm-2026-runs", "MOUNT_CACHED")
    before = written(task)
    assert written(apply(task, client=False)) == before


def test_an_alternative_that_the_cloud_has_at_no_known_price_is_dropped(apply: Apply) -> None:
    task = apply(resources=resources(accelerators={"L4": 1, "A100": 1}, infra="aws"))
    assert [one.accelerators for one in task.resources] == [{"L4": 1}]


def places(task: Any) -> set[tuple[str, str, str]]:
    return {(str(one.cloud), one.region, *one.accelerators) for one in task.resources}


def test_a_task_goes_only_where_its_class_may_be(apply: Apply) -> None:
    here = ("AWS", "us-east-1")
    assert places(apply()) == {(*here, "L4"), (*here, "A10G"), ("GCP", "us-east1", "L4")}
    assert places(apply(resources=resources(infra="aws"))) == {(*here, "L4"), (*here, "A10G")}


def test_a_task_of_a_course_without_a_class_goes_wherever_there_is_a_price(apply: Apply) -> None:
    labels = {"course": "llm-2025", "lab": "toy"}
    found = places(apply(resources=resources(labels=labels, accelerators="L4")))
    offering = Catalog.load().machines(accelerator="L4", count=1)
    assert {(cloud.lower(), region) for cloud, region, _ in found} == {(row.cloud, row.region) for row in offering}


def test_a_machine_off_the_class_s_list_is_refused(sky: Any, apply: Apply, house: Path) -> None:
    spoil(house / "clusters" / "llm-2026.yaml", "course:", "instances: [m5.large, g6.xlarge]\ncourse:")
    assert places(apply(resources=resources(accelerators="L4"))) == {("AWS", "us-east-1", "L4")}
    [problem] = refused(sky, apply, resources=resources(accelerators="A10G"))
    assert problem == "toy: resources.accelerators: A10G:1: not in the course's catalog; allowed: L4:1"
    named = {"accelerators": None, "cpus": None, "memory": None, "infra": "aws"}
    assert apply(resources=resources(**named, instance_type="g6.xlarge"))
    [problem] = refused(sky, apply, resources=resources(**named, instance_type="g5.xlarge"))
    unknown = "toy: resources.instance_type: 'g5.xlarge' is not in the course's catalog"
    assert problem == f"{unknown}; allowed: m5.large, g6.xlarge"


def test_a_class_that_cannot_be_read_refuses(sky: Any, apply: Apply, house: Path) -> None:
    spoil(house / "clusters" / "llm-2026.yaml", "aws/us-east-1", "moon")
    [problem] = refused(sky, apply)
    assert problem.startswith(f"{house}/clusters/llm-2026.yaml: infra: moon: not in the catalog; allowed: aws/us-east")


LABELS = {"course": "llm-2026", "lab": "toy"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no course": ({"labels": {"lab": "toy"}}, "toy: resources.labels.course: missing"),
    "no lab": ({"labels": {"course": "llm-2026"}}, "toy: resources.labels.lab: missing"),
    "illegal label": ({"labels": LABELS | {"team": "Red"}}, "toy: resources.labels.team: some cloud refuses 'Red'"),
    "longer lease": ({"labels": LABELS | {"lease-until": "29991231t000000z"}}, "resources.labels.lease-until"),
    "lease no time": ({"labels": LABELS | {"lease-until": "never"}}, "resources.labels.lease-until: 'never'; allowed"),
    "ports": ({"ports": 8080}, "toy: resources.ports: not allowed"),
    "no autostop": ({"autostop": None}, "toy: resources.autostop: missing"),
    "autostop off": ({"autostop": False}, "toy: resources.autostop: missing"),
    "only stopped": ({"autostop": 10}, "toy: resources.autostop.down: must be true"),
    "long idle": ({"autostop": {"idle_minutes": 61, "down": True}}, "autostop.idle_minutes: 61; allowed: 0 to 60"),
    "accelerator": (
        {"accelerators": "V100"},
        "toy: resources.accelerators: V100:1: not in the course's catalog; allowed: T4:1",
    ),
    "one of two": (
        {"accelerators": {"L4": 1, "L4S": 1}},
        "toy: resources.accelerators: L4S:1: not in the course's catalog",
    ),
    "count": ({"accelerators": "L4:8"}, "toy: resources.accelerators: L4:8: not in the course's catalog"),
    "not on that cloud": (
        {"accelerators": "A100:1", "infra": "aws"},
        "toy: resources.accelerators: not in the course's catalog there; allowed: T4:1",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_course_does_not_allow_is_refused(
    sky: Any, apply: Apply, changes: dict[str, Any], message: str
) -> None:
    asked = {key: value for key, value in resources(**changes).items() if value is not None}
    [problem] = refused(sky, apply, resources=asked)
    assert message in problem


def test_all_that_is_wrong_comes_in_one_go(sky: Any, apply: Apply) -> None:
    asked = resources(ports=8080, autostop=False, labels={"course": "llm-2026"})
    keys = [problem.split(": ")[1] for problem in refused(sky, apply, resources=asked)]
    assert keys == ["resources.labels.lab", "resources.ports", "resources.autostop"]


ENVS = {
    "unknown": ({"SCALE": "single", "STEP": "3"}, "toy: envs.STEP: unknown; did you mean STEPS?"),
    "wrong type": ({"SCALE": "single", "STEPS": "many"}, "toy: envs.STEPS: 'many': allowed: a whole number"),
}


@pytest.mark.parametrize(("envs", "message"), ENVS.values(), ids=ENVS.keys())
def test_an_env_that_the_job_does_not_take_is_refused(
    sky: Any, apply: Apply, envs: dict[str, str], message: str
) -> None:
    [problem] = refused(sky, apply, envs=envs)
    assert problem.startswith(message)


def test_a_server_imports_no_job(apply: Apply) -> None:
    apply(envs={"STEP": "3"}, client=False)


def test_a_task_that_is_no_job_takes_any_env(apply: Apply) -> None:
    apply(run="nvidia-smi", envs={"WORD": "x"})


def test_a_managed_job_needs_no_autostop(apply: Apply) -> None:
    asked = {key: value for key, value in resources().items() if key != "autostop"}
    assert tags_of(apply(resources=asked, request="JOBS_LAUNCH", managed=True)).run
    assert tags_of(apply(resources=asked, request="JOBS_LAUNCH_CLUSTER")).run


def test_skypilots_own_controllers_pass_untouched(apply: Apply) -> None:
    assert not next(iter(apply(resources={}, request="JOBS_LAUNCH_CONTROLLER").resources)).labels


def test_a_command_on_a_machine_that_is_there_needs_no_lab(apply: Apply) -> None:
    assert "CLUSTERLAB_TAGS" not in apply(run="nvidia-smi", resources={}, request="CLUSTER_EXEC").envs
    assert Tags.parse(apply(request="CLUSTER_EXEC").envs["CLUSTERLAB_TAGS"]).lab == "toy"


@pytest.mark.parametrize("cloud", ["slurm", "kubernetes"])
@pytest.mark.usefixtures("sky")
def test_machines_that_nobody_is_billed_for_need_no_price(cloud: str) -> None:
    from sky.utils.registry import CLOUD_REGISTRY

    assert str(CLOUD_REGISTRY.from_str(cloud)).lower() in UNBILLED


BROKEN = {
    "lease": ("CLUSTERLAB_LEASE_HOURS", "long", "CLUSTERLAB_LEASE_HOURS: 'long'; allowed: hours above 0"),
    "student": ("CLUSTERLAB_STUDENT", "Ana Díaz", "tags: student: 'Ana Díaz' is not a label"),
}


@pytest.mark.parametrize(("name", "value", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_setting_refuses(
    sky: Any, apply: Apply, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    [problem] = refused(sky, apply)
    assert problem.startswith(message)


def test_a_catalog_that_cannot_be_read_refuses(sky: Any, apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Catalog.load
    monkeypatch.setattr(Catalog, "load", lambda: load(Path("none.csv")))
    [problem] = refused(sky, apply)
    assert re.match(r"none.csv: cannot be read", problem)


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_the_policy_takes_each_lab(sky: Any, apply: Apply, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert tags_of(apply(sky.Task.from_yaml(str(path)))).lab == path.stem
