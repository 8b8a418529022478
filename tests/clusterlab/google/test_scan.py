from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.google.clearing import Clearing
from clusterlab.google.compute import PAUSES, Compute, GoogleError
from clusterlab.google.credentials import access_token
from clusterlab.google.scan import scan
from clusterlab.reaper.resource import Kind
from tests.clusterlab.google.emulation import PROJECT, ROOT, TOKEN, Project, failure, serving
from tests.ports import free_port


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def compute(project: Project, slept: list[float]) -> Iterator[Compute]:
    with serving(project) as endpoint:
        yield Compute(project=PROJECT, token=lambda: TOKEN, endpoint=endpoint, sleep=slept.append)


@pytest.fixture
def clearing(compute: Compute, slept: list[float]) -> Clearing:
    return Clearing(compute=compute, course="llm-2026", sleep=slept.append, clock=lambda: sum(slept))


def ids(compute: Compute, course: str = "llm-2026") -> list[str]:
    seen = scan(compute, course)
    assert seen.failed == []
    return [each.id.rpartition("/")[2] for each in seen.resources]


def test_a_machine_is_found_with_its_shape_its_place_and_what_is_its_own(project: Project, compute: Compute) -> None:
    boot = {"source": f"{ROOT}/projects/{PROJECT}/zones/us-east1-b/disks/boot", "autoDelete": True}
    data = {"source": f"{ROOT}/projects/{PROJECT}/zones/us-east1-b/disks/data", "autoDelete": False}
    name = project.machine("i-1", disks=[boot, data], labels={"student": "ana"})
    project.disk("data", users=(name,))
    machine, disk = scan(compute, "llm-2026").resources
    assert (machine.kind, machine.id) == (Kind.INSTANCE, f"projects/{PROJECT}/zones/us-east1-b/instances/i-1")
    assert (machine.shape, machine.state, machine.runs) == ("g2-standard-4", "running", True)
    assert (machine.cloud, machine.region, machine.zone) == ("gcp", "us-east1", "us-east1-b")
    assert machine.tags == {"course": "llm-2026", "student": "ana"}
    assert machine.created == datetime(2026, 9, 1, 10, tzinfo=UTC)
    assert machine.disks == {f"projects/{PROJECT}/zones/us-east1-b/disks/boot"}
    assert (disk.kind, disk.shape, disk.used_by) == (Kind.VOLUME, "100 GB", frozenset([name]))


def test_all_pages_of_all_zones_are_read_and_nobody_else_s(project: Project, compute: Compute) -> None:
    for number in range(7):
        project.machine(f"i-{number}", zone=f"us-east1-{'bcd'[number % 3]}")
    project.machine("other", course="llm-2025")
    project.machine("nobody's", course=None)
    project.add("regions/us-east1/addresses/ip", address="192.0.2.1", status="RESERVED")
    assert sorted(ids(compute)) == [*(f"i-{number}" for number in range(7)), "ip"]
    assert project.calls.count("GET aggregated/instances") == 4
    project.filters = False
    assert sorted(ids(compute)) == [*(f"i-{number}" for number in range(7)), "ip"]


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (503, "backendError")]
)
def test_throttling_is_waited_out(
    project: Project, compute: Compute, slept: list[float], status: int, reason: str
) -> None:
    project.machine("i-1")
    project.faults = [failure(status, reason)] * 3
    assert ids(compute) == ["i-1"]
    assert slept == list(PAUSES[:3])


def test_what_may_not_be_listed_is_not_looked_at(project: Project, compute: Compute, slept: list[float]) -> None:
    project.machine("i-1")
    project.denied["disks"] = failure(403, "forbidden", "Required 'compute.disks.list' permission")
    seen = scan(compute, "llm-2026")
    [look] = seen.failed
    assert str(look) == f"gcp/{PROJECT}: compute: volumes: forbidden: Required 'compute.disks.list' permission"
    assert ([each.kind for each in seen.resources], slept) == ([Kind.INSTANCE], [])


def test_a_zone_that_does_not_answer_is_told(project: Project, compute: Compute) -> None:
    project.machine("i-1")
    project.unreachable = ["projects/llm-2026/zones/us-east1-c"]
    seen = scan(compute, "llm-2026")
    assert [look.error for look in seen.failed] == ["projects/llm-2026/zones/us-east1-c: UNREACHABLE"] * 3


def test_nobody_there_is_a_fault_of_each_look(slept: list[float]) -> None:
    nobody = Compute(
        project=PROJECT, token=lambda: TOKEN, endpoint=f"http://127.0.0.1:{free_port()}/", sleep=slept.append
    )
    seen = scan(nobody, "llm-2026")
    assert [look.error is not None and look.error.startswith("unreachable: ") for look in seen.looks] == [True] * 3
    assert len(slept) == 3 * len(PAUSES)


def test_a_token_that_is_not_taken_is_no_empty_project(project: Project, compute: Compute) -> None:
    project.machine("i-1")
    compute.token = lambda: "stale"
    assert [look.error for look in scan(compute, "llm-2026").failed] == ["authError: Invalid Credentials"] * 3


def test_an_answer_that_is_no_json_is_a_fault(compute: Compute, project: Project) -> None:
    project.denied["instances"] = (200, [])  # type: ignore[assignment]
    with pytest.raises(GoogleError, match=r"no JSON: an answer that is no object"):
        list(compute.aggregated("instances", 'labels.course="llm-2026"'))


def test_ending_waits_until_all_is_gone(project: Project, compute: Compute, clearing: Clearing) -> None:
    boot = {"source": f"{ROOT}/projects/{PROJECT}/zones/us-east1-b/disks/boot", "autoDelete": True}
    name = project.machine("i-1", disks=[boot])
    project.disk("boot", users=(name,))
    project.disk("data", users=(name,))
    project.machine("other", course="llm-2025")
    project.lag = 3
    assert clearing.end(scan(compute, "llm-2026").resources) == {}
    assert list(project.items) == ["zones/us-east1-b/instances/other"]
    deleted = [call for call in project.calls if call.startswith("DELETE")]
    assert deleted == ["DELETE zones/us-east1-b/instances/i-1", "DELETE zones/us-east1-b/disks/data"]
    assert clearing.end([]) == {}


def test_what_may_not_be_ended_is_told_and_the_rest_ends(
    project: Project, compute: Compute, clearing: Clearing, slept: list[float]
) -> None:
    project.machine("i-1")
    project.machine("i-2")
    project.denied["zones/us-east1-b/instances/i-1"] = failure(403, "forbidden", "compute.instances.delete")
    [(key, why)] = clearing.end(scan(compute, "llm-2026").resources).items()
    assert key.endswith("/instances/i-1")
    assert why.endswith("(g2-standard-4, running): forbidden: compute.instances.delete")
    assert list(project.items) == ["zones/us-east1-b/instances/i-1"]
    assert len(slept) == 1


def test_patience_ends_with_what_is_still_there(
    project: Project, compute: Compute, clearing: Clearing, slept: list[float]
) -> None:
    project.machine("i-1")
    project.lag = 10**6
    [why] = clearing.end(scan(compute, "llm-2026").resources).values()
    assert why.endswith("(g2-standard-4, stopping): still there")
    assert clearing.patience_seconds < sum(slept) < clearing.patience_seconds + 20


def test_a_look_that_fails_at_the_end_is_never_taken_for_an_empty_project(
    project: Project, compute: Compute, clearing: Clearing
) -> None:
    project.machine("i-1")
    found = scan(compute, "llm-2026").resources
    project.denied["instances"] = failure(403, "forbidden", "no")
    assert list(clearing.end(found)) == [f"gcp/{PROJECT}/instance"]


def test_the_token_is_the_variable_s_or_else_gcloud_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", " one ")
    assert access_token() == "one"
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN")
    with pytest.raises(InputError, match=r"Google Cloud credentials: none, and gcloud is not installed; allowed: a"):
        access_token()
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/bin/sh\n[ "$*" = "auth application-default print-access-token" ] && echo two\n')
    gcloud.chmod(0o755)
    assert access_token() == "two"
    gcloud.write_text("#!/bin/sh\necho 'ERROR: no\nlogin' >&2\nexit 1\n")
    with pytest.raises(InputError, match=r"gcloud has none: ERROR: no login; allowed: a token in GOOGLE_OAUTH"):
        access_token()
