from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.errors import InputError, UnreachableError
from clusterlab.run import Status, find_runs
from jobs.launch import shared
from jobs.launch.nodes import DASHBOARD_PORT
from jobs.launch.shared import share, stay_while_busy
from tests.nodes import TwoNodes, two_nodes
from tests.repository import MARK, marked, no_process_left, wait_until

TOKEN = "a-token-of-the-class-2026"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "temporary").mkdir()
    with no_process_left(uuid.uuid4().hex) as environment:
        yield environment | {"RAY_AUTH_TOKEN": TOKEN, "TMPDIR": str(tmp_path / "temporary"), "HOME": str(tmp_path)}
    assert list((tmp_path / "temporary").iterdir()) == []


def _start(
    repository: Path, environment: dict[str, str], nodes: TwoNodes, rank: int, minutes: float
) -> subprocess.Popen[str]:
    command = [*nodes.prefixes[rank], sys.executable, "-m", "jobs.launch.shared", f"--idle-minutes={minutes}"]
    variables = environment | nodes.variables(rank, environment[MARK])
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=repository, env=variables, stdout=pipe, stderr=pipe, text=True)


def _submit(
    repository: Path, environment: dict[str, str], nodes: TwoNodes, job: str, **variables: str
) -> tuple[int, str, str]:
    """As a student does at the other end of the tunnel."""
    command = [*nodes.prefixes[0], sys.executable, "-m", "jobs.submit", job]
    tunnel = {"RAY_ADDRESS": f"http://127.0.0.1:{DASHBOARD_PORT}", "SCALE": "tiny"}
    result = subprocess.run(
        command, cwd=repository, env=environment | tunnel | variables, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout, result.stderr


def test_students_share_it_until_it_is_stopped(repository: Path, environment: dict[str, str], tmp_path: Path) -> None:
    student = environment | {"CLUSTERLAB_TAGS": "course=llm-2026,lab=echo,student=ana"}
    with two_nodes() as nodes:
        ranks = [_start(repository, environment, nodes, rank, 60) for rank in range(2)]
        assert ranks[0].stdout is not None
        assert ranks[0].stdout.readline().startswith("shared Ray: 2 node(s)"), [each.communicate() for each in ranks]
        runs = {"CLUSTERLAB_RUNS": str(tmp_path / "runs")}
        said, reduced = (_submit(repository, student, nodes, job, **runs) for job in ("echo", "allreduce"))
        stranger = _submit(repository, environment | {"RAY_AUTH_TOKEN": "guessed-by-somebody"}, nodes, "echo", **runs)
        ranks[0].send_signal(signal.SIGTERM)
        codes = [(each.communicate(), each.returncode)[1] for each in ranks]
    assert (said[0], reduced[0]) == (0, 0), said[2] + reduced[2]
    assert "2 workers on 2 node(s)" in reduced[1]
    assert {run.asked.job: run.status for _, run in find_runs(tmp_path / "runs")} == {
        "echo": Status.SUCCEEDED,
        "allreduce": Status.SUCCEEDED,
    }
    assert stranger[0] == 2
    assert "refuses us; RAY_AUTH_TOKEN" in stranger[2]
    assert codes == [130, 130]
    assert marked(environment[MARK]) == []


def test_it_ends_by_itself_when_nobody_has_a_job(repository: Path, environment: dict[str, str]) -> None:
    with two_nodes() as nodes:
        ranks = [_start(repository, environment, nodes, rank, 0.01) for rank in range(2)]
        outcomes = [(each.communicate(), each.returncode) for each in ranks]
    assert [code for _, code in outcomes] == [0, 0], outcomes
    assert "shared Ray: no job for 0.01 minutes, so it ended" in outcomes[0][0][0]
    assert marked(environment[MARK]) == []


def test_a_killed_head_ends_the_shared_ray_everywhere(repository: Path, environment: dict[str, str]) -> None:
    with two_nodes() as nodes:
        ranks = [_start(repository, environment, nodes, rank, 60) for rank in range(2)]
        assert ranks[0].stdout is not None
        ranks[0].stdout.readline()
        ranks[0].kill()
        _, errors = ranks[1].communicate()
        ranks[0].communicate()
    assert ranks[1].returncode == 4
    assert "went without a word" in errors
    wait_until(lambda: marked(environment[MARK]) == [])


class _Clock:
    """Goes on only while somebody sleeps."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_it_stays_for_its_time_after_the_last_job(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr(shared, "time", clock)
    stay_while_busy(lambda: 20 <= clock.now < 100 or clock.now < 4, lambda: None, idle_seconds=30)
    assert clock.now == 98 + 30


def test_a_lost_node_ends_the_stay() -> None:
    def check() -> None:
        raise UnreachableError("rank 1: left")

    with pytest.raises(UnreachableError, match="rank 1: left"):
        stay_while_busy(lambda: 1, check, idle_seconds=60)


@pytest.mark.parametrize(
    ("environment", "minutes", "message"),
    [
        ({}, 1, "RAY_AUTH_TOKEN: missing; `sky launch --secret RAY_AUTH_TOKEN` gives it"),
        ({"RAY_AUTH_TOKEN": "short"}, 1, "RAY_AUTH_TOKEN: allowed: 16 or more"),
        ({"RAY_AUTH_TOKEN": TOKEN}, 0, "--idle-minutes: allowed: minutes above 0"),
        ({"RAY_AUTH_TOKEN": TOKEN}, float("nan"), "--idle-minutes: allowed: minutes above 0"),
    ],
)
def test_bad_input_starts_nothing(environment: dict[str, str], minutes: float, message: str) -> None:
    with pytest.raises(InputError) as error:
        share(environment, idle_seconds=minutes * 60)
    assert str(error.value).startswith(message)
