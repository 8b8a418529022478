from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.run import METRICS, Status, find_runs
from tests.nodes import LOOPBACK, TwoNodes, two_nodes
from tests.repository import MARK, copy_repository, marked, no_process_left, wait_until


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Whatever is started with it must be gone at the end, on every node."""
    (tmp_path / "temporary").mkdir()
    with no_process_left(uuid.uuid4().hex) as environment:
        runs = {"SCALE": "tiny", "CLUSTERLAB_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path / "temporary")}
        yield environment | runs
    assert list((tmp_path / "temporary").iterdir()) == []


def _start(
    repository: Path, environment: dict[str, str], rank: int, nodes: TwoNodes = LOOPBACK, job: str = "echo"
) -> subprocess.Popen[str]:
    command = [*nodes.prefixes[rank], sys.executable, "-m", "jobs.submit", job]
    variables = environment | nodes.variables(rank, environment[MARK])
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=repository, env=variables, stdout=pipe, stderr=pipe, text=True)


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate()
    return process.returncode, output, errors


def _start_slow(repository: Path, environment: dict[str, str]) -> list[subprocess.Popen[str]]:
    """Both ranks, with a job that is at work and does not end."""
    processes = [_start(repository, environment | {"PAUSE_SECONDS": "600"}, rank) for rank in range(2)]

    def at_work() -> bool:
        assert [process.poll() for process in processes] == [None, None], [_end(process) for process in processes]
        return any(Path(environment["CLUSTERLAB_RUNS"]).rglob(METRICS))

    wait_until(at_work)
    return processes


def test_a_job_spans_the_nodes_and_has_one_record(repository: Path, environment: dict[str, str]) -> None:
    with two_nodes() as nodes:
        # The other node is there first, as it may be.
        processes = [_start(repository, environment, rank, nodes, job="allreduce") for rank in (1, 0)]
        (code_1, output_1, errors_1), (code_0, output_0, errors_0) = map(_end, processes)
    assert (code_0, code_1) == (0, 0), errors_0 + errors_1
    assert "2 workers on 2 node(s)" in output_0
    assert (output_1, errors_1) == ("", "")
    [(folder, run)] = find_runs(Path(environment["CLUSTERLAB_RUNS"]))
    assert run.status is Status.SUCCEEDED
    assert {run.metrics[key] for key in ("num_nodes", "world_size")} == {2}
    assert run.metrics["sum_error"] == 0
    assert run.metrics["bus_bandwidth_gb_per_second"] == run.metrics["algorithm_bandwidth_gb_per_second"] > 0
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    assert [row["bytes"] for row in rows] == [8 * 8**step for step in range(7)]
    assert (folder / "bandwidth.png").read_bytes().startswith(b"\x89PNG")
    assert marked(environment[MARK]) == []


def test_a_failed_job_fails_every_node(repository: Path, environment: dict[str, str]) -> None:
    failing = environment | {"ENDING": "input"}
    (code_0, _, errors_0), (code_1, _, errors_1) = map(_end, [_start(repository, failing, rank) for rank in range(2)])
    assert (code_0, code_1) == (2, 2)
    assert "jobs.echo: failed: InputError: WORD: nobody says that" in errors_0
    assert errors_1 == "rank 0 (127.0.0.2): ended with exit code 2; its output says why\n"


def test_a_killed_rank_0_ends_the_other_node(repository: Path, environment: dict[str, str]) -> None:
    rank_0, rank_1 = _start_slow(repository, environment)
    rank_0.kill()
    code, output, errors = _end(rank_1)
    assert (code, output) == (4, "")
    assert errors == "rank 0 (127.0.0.2): went without a word: it was killed, or its machine is lost\n"
    rank_0.communicate()
    wait_until(lambda: marked(environment[MARK]) == [])


def test_a_killed_node_stops_the_job(repository: Path, environment: dict[str, str]) -> None:
    rank_0, rank_1 = _start_slow(repository, environment)
    rank_1.kill()
    code, _, errors = _end(rank_0)
    assert code == 4
    assert errors.endswith("rank 1 (127.0.0.3): left before the end\n")
    [(_, run)] = find_runs(Path(environment["CLUSTERLAB_RUNS"]))
    assert run.status is Status.STOPPED
    rank_1.communicate()
    wait_until(lambda: marked(environment[MARK]) == [])


@pytest.mark.slow
def test_a_node_whose_ray_dies_says_so_at_both_ranks(repository: Path, environment: dict[str, str]) -> None:
    rank_0, rank_1 = _start_slow(repository, environment)
    [raylet] = [pid for pid in marked(environment[MARK]) if _is_raylet(pid, "127.0.0.3")]
    os.kill(raylet, signal.SIGKILL)
    (code_0, _, errors_0), (code_1, _, errors_1) = _end(rank_0), _end(rank_1)
    assert (code_0, code_1) == (4, 4)
    assert errors_0.endswith("rank 1 (127.0.0.3): left before the end: its Ray ended\n")
    assert errors_1.startswith("rank 1 (127.0.0.3): its Ray ended before rank 0 did; it said:\n")
    assert marked(environment[MARK]) == []


def _is_raylet(pid: int, address: str) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[0].endswith("/raylet") and f"--node_ip_address={address}" in words


@pytest.mark.slow
def test_an_interrupt_of_rank_0_ends_both_and_says_so(repository: Path, environment: dict[str, str]) -> None:
    rank_0, rank_1 = _start_slow(repository, environment)
    rank_0.send_signal(signal.SIGTERM)
    (code_0, _, errors), (code_1, _, _) = _end(rank_0), _end(rank_1)
    assert (code_0, code_1) == (130, 130)
    assert "goes on from its last checkpoint" in errors
    assert marked(environment[MARK]) == []


@pytest.mark.slow
def test_a_node_that_never_joins_is_named(repository: Path, environment: dict[str, str]) -> None:
    code, _, errors = _end(_start(repository, environment | {"CLUSTERLAB_RAY_TIMEOUT": "2"}, rank=0))
    assert (code, errors) == (4, "Ray of 2 nodes: rank 1 (127.0.0.3) did not join within 2 s\n")


def test_a_head_that_never_comes_is_named(repository: Path, environment: dict[str, str]) -> None:
    code, _, errors = _end(_start(repository, environment | {"CLUSTERLAB_RAY_TIMEOUT": "1"}, rank=1))
    assert code == 4
    assert errors.startswith("rank 0 (127.0.0.2): did not answer at 127.0.0.2:")
    assert not Path(environment["CLUSTERLAB_RUNS"]).exists()
