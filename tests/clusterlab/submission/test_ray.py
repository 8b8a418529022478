"""What only a real Ray shows; how it fares otherwise is in `test_submit.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
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
from tests.repository import wait_until


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    if not PYTHON.exists():
        pytest.skip(f"needs the environment of jobs: `{INSTALL}`")
    with ray_cluster(tmp_path_factory.mktemp("ray"), num_gpus=2) as made:
        yield made


@dataclass
class Client:
    """One `clusterlab submit`."""

    process: subprocess.Popen[str]
    output: Path

    def end(self, code: int) -> str:
        """What it printed, once it has ended as it should."""
        _, errors = self.process.communicate()
        assert self.process.returncode == code, errors
        return self.output.read_text() + errors

    def wait_for(self, line: str) -> None:
        wait_until(lambda: self.process.poll() is not None or line in self.output.read_text(), seconds=120)
        assert self.process.poll() is None, self.output.read_text()


@dataclass
class Students:
    """Who submit from one machine."""

    root: Path
    environment: dict[str, str]
    api: JobsApi
    folder: Path
    clients: list[Client] = field(default_factory=list)

    def submit(self, student: str, *arguments: str) -> Client:
        command = [sys.executable, "-m", "clusterlab.cli", "submit", "labs/echo.yaml", "--as", student, *arguments]
        output = Path(tempfile.mkdtemp(dir=self.folder)) / "output"
        with output.open("w") as file:
            process = subprocess.Popen(
                command, cwd=self.root, env=self.environment, stdout=file, stderr=subprocess.PIPE, text=True
            )
        self.clients.append(Client(process=process, output=output))
        return self.clients[-1]

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api._json("GET", "/api/jobs/")
        return [job for job in found if job["submission_id"]]

    def runs(self, student: str) -> list[tuple[Path, Run]]:
        return [each for each in find_runs(self.root / "runs") if each[1].tags["student"] == student]


@pytest.fixture
def students(ray: RayCluster, root: Path, tmp_path: Path) -> Iterator[Students]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with closing(Ledger.open(url, begin=True)) as ledger:
        ledger.set_cap(Scope.COURSE, "llm-2026", Decimal(100))
    variables = {"RAY_ADDRESS": ray.address, "RAY_AUTH_TOKEN": ray.token, "CLUSTERLAB_LEDGER": url}
    api = JobsApi.connect(ray.address, ray.token, seconds=60)
    environment = os.environ | variables | {"HF_TOKEN": "hf_secret"}
    made = Students(root=root, environment=environment, api=api, folder=tmp_path)
    yield made
    for client in made.clients:
        client.process.kill()
        client.process.wait()


def test_two_students_at_once_have_their_runs_back_and_see_none_of_the_others(
    students: Students, ray: RayCluster
) -> None:
    clients = {student: students.submit(student, "--env", f"WORD={student}") for student in ("ana", "ben")}
    for student, client in clients.items():
        said = client.end(0)
        [(folder, run)] = students.runs(student)
        assert (run.status, run.metrics["said"]) == (Status.SUCCEEDED, 3)
        assert {path.name for path in folder.iterdir()} == {"run.json", "metrics.jsonl", LOG, ".lock"}
        assert f"{student} 3\n" in (folder / LOG).read_text()
        [job] = [job for job in students.jobs() if job["metadata"]["student"] == student]
        assert job["metadata"] == run.tags | {"fingerprint": run.fingerprint}
        assert "hf_secret" not in (folder / LOG).read_text() + said + str(job["metadata"]) + job["entrypoint"]
        assert (ray.home / "clusterlab-runs" / student).stat().st_mode & 0o777 == 0o700
    assert len({job["runtime_env"]["working_dir"] for job in students.jobs()}) == 1


def test_a_job_outlives_a_client_that_is_killed_and_ends_by_the_next_ones_interrupt(students: Students) -> None:
    arguments = ("cleo", "--env", "STEPS=1000", "--env", "PAUSE_SECONDS=0.2")
    killed = students.submit(*arguments)
    killed.wait_for("hello 1\n")
    killed.process.kill()
    killed.end(-signal.SIGKILL)
    following = students.submit(*arguments)
    following.wait_for("hello 1\n")
    following.process.send_signal(signal.SIGINT)
    output = following.end(130)
    [job] = [job for job in students.jobs() if job["metadata"]["student"] == "cleo"]
    assert f"asking Ray to stop {job['submission_id']}" in output
    assert f"{job['submission_id']} is stopped; the same command goes on from its last checkpoint" in output
    [(_, run)] = students.runs("cleo")
    assert run.status is Status.STOPPED
