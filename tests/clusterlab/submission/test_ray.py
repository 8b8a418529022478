"""What only a real Ray shows; how it fares otherwise is in `test_submit.py`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.local import LOG
from clusterlab.run import Run, Status, find_runs
from clusterlab.submission.jobs_api import JobsApi
from tests.clusterlab.submission.cluster import INSTALL, PYTHON, RayCluster, ray_cluster
from tests.clusterlab.submission.repository import course_repository
from tests.repository import wait_until


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    if not PYTHON.exists():
        pytest.skip(f"needs the environment of jobs: `{INSTALL}`")
    with ray_cluster(tmp_path_factory.mktemp("ray"), num_gpus=2) as made:
        yield made


@dataclass
class Students:
    """Who submit from one machine."""

    root: Path
    environment: dict[str, str]
    api: JobsApi

    def submit(self, student: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "clusterlab.cli", "submit", "labs/echo.yaml", "--as", student, *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.root, env=self.environment, **pipes)

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api._json("GET", "/api/jobs/")
        return [job for job in found if job["submission_id"]]

    def runs(self, student: str) -> list[tuple[Path, Run]]:
        return [each for each in find_runs(self.root / "runs") if each[1].tags["student"] == student]


@pytest.fixture
def students(ray: RayCluster, tmp_path: Path) -> Students:
    root = course_repository(tmp_path / "repository")
    task = root / "labs" / "echo.yaml"
    task.write_text(task.read_text().replace("run: |", "secrets:\n  HF_TOKEN: null\n\nrun: |"))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with closing(Ledger.open(url, begin=True)) as ledger:
        ledger.set_cap(Scope.COURSE, "llm-2026", Decimal(100))
    variables = {"RAY_ADDRESS": ray.address, "RAY_AUTH_TOKEN": ray.token, "CLUSTERLAB_LEDGER": url}
    api = JobsApi.connect(ray.address, ray.token, seconds=60)
    return Students(root=root, environment=os.environ | variables | {"HF_TOKEN": "hf_secret"}, api=api)


def test_two_students_at_once_have_their_runs_back_and_see_none_of_the_others(
    students: Students, ray: RayCluster
) -> None:
    clients = {student: students.submit(student, "--env", f"WORD={student}", "--json") for student in ("ana", "ben")}
    for student, client in clients.items():
        output, errors = client.communicate()
        assert client.returncode == 0, errors
        shown = json.loads(output)
        assert (shown["student"], shown["metrics"]["said"]) == (student, 3)
        [(folder, run)] = students.runs(student)
        assert run.status is Status.SUCCEEDED
        assert {path.name for path in folder.iterdir()} == {"run.json", "metrics.jsonl", LOG, ".lock"}
        assert f"{student} 3\n" in (folder / LOG).read_text()
        [job] = [job for job in students.jobs() if job["metadata"]["student"] == student]
        assert job["metadata"] == run.tags | {"fingerprint": run.fingerprint}
        assert "hf_secret" not in (folder / LOG).read_text() + errors + str(job["metadata"]) + job["entrypoint"]
        assert (ray.home / "clusterlab-runs" / student).stat().st_mode & 0o777 == 0o700
    assert len({job["runtime_env"]["working_dir"] for job in students.jobs()}) == 1


def test_a_job_outlives_a_client_that_is_killed_and_ends_by_the_next_ones_interrupt(students: Students) -> None:
    arguments = ("cleo", "--env", "STEPS=1000", "--env", "PAUSE_SECONDS=0.2")
    killed = students.submit(*arguments)
    _wait_for(killed, "hello 1")
    killed.kill()
    killed.communicate()
    following = students.submit(*arguments)
    _wait_for(following, "hello 1")
    following.send_signal(signal.SIGINT)
    output, errors = following.communicate()
    assert following.returncode == 130, errors
    [job] = [job for job in students.jobs() if job["metadata"]["student"] == "cleo"]
    assert f"asking Ray to stop {job['submission_id']}" in output
    assert f"{job['submission_id']} is stopped; the same command goes on from its last checkpoint" in output
    [(_, run)] = students.runs("cleo")
    assert run.status is Status.STOPPED


def _wait_for(client: subprocess.Popen[str], line: str) -> None:
    assert client.stdout is not None
    wait_until(lambda: client.poll() is not None or line in (client.stdout.readline() if client.stdout else ""))
    assert client.poll() is None, client.communicate()
