from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.job import Job
from clusterlab.run import METRICS, Run, Status, find_runs
from jobs.fsdp import Config
from jobs.llm.curve import read_losses
from tests.jobs.parallel.reference import losses_of_one_process
from tests.nodes import TwoNodes, two_nodes
from tests.repository import MARK, copy_repository, marked, no_process_left, wait_until

FEW = {"SCALE": "tiny", "STEPS": "4", "CHECKPOINT_EVERY": "4"}
VALUES = {"SCALE": "tiny", "STEPS": "200", "CHECKPOINT_EVERY": "20"}
TOLERANCE = 2e-3
"""Of a loss in nats after 200 steps."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Whatever is started with it must be gone at the end, on every node."""
    (tmp_path / "temporary").mkdir()
    with no_process_left(uuid.uuid4().hex) as environment:
        runs = {"CLUSTERLAB_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path / "temporary")}
        yield environment | VALUES | runs


def _start(
    root: Path, environment: dict[str, str], rank: int, nodes: TwoNodes, job: str = "fsdp"
) -> subprocess.Popen[str]:
    command = [*nodes.prefixes[rank], sys.executable, "-m", "jobs.submit", job]
    variables = environment | nodes.variables(rank, environment[MARK])
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=root, env=variables, stdout=pipe, stderr=pipe, text=True)


def _end(processes: list[subprocess.Popen[str]]) -> list[int]:
    for process in processes:
        process.communicate()
    return [process.returncode for process in processes]


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints" / "fsdp").glob("step-*"))


def _when_done(runs: Path, step: int, processes: list[subprocess.Popen[str]]) -> Path:
    """The run's folder, when so many steps are done."""

    def done() -> bool:
        assert [process.poll() for process in processes] == [None, None], [each.communicate() for each in processes]
        return any(f'"step": {step},' in path.read_text() for path in runs.rglob(METRICS))

    wait_until(done)
    return next(runs.rglob(METRICS)).parent


@pytest.mark.slow
def test_a_training_on_two_nodes_outlives_a_notice_and_a_lost_node(tmp_path: Path, environment: dict[str, str]) -> None:
    root, runs = copy_repository(tmp_path / "repository"), Path(environment["CLUSTERLAB_RUNS"])
    with two_nodes() as nodes:
        noticed = [_start(root, environment, rank, nodes) for rank in range(2)]
        folder = _when_done(runs, 5, noticed)
        noticed[0].send_signal(signal.SIGTERM)
        assert _end(noticed) == [130, 130]
        saved = _steps(folder)[-1]
        assert json.loads((folder / METRICS).read_text().splitlines()[-1])["step"] == saved
        assert Run.load(folder).status is Status.STOPPED

        losing = [_start(root, environment, rank, nodes) for rank in range(2)]
        _when_done(runs, saved // 20 * 20 + 25, losing)
        losing[1].kill()
        assert _end(losing)[0] == 4
        wait_until(lambda: marked(environment[MARK]) == [])
        kept = _steps(folder)
        assert kept[-1] >= saved // 20 * 20 + 20

        assert _end([_start(root, environment, rank, nodes) for rank in range(2)]) == [0, 0]
    [(_, run)] = find_runs(runs)
    assert (run.status, run.provenance["attempts"], run.metrics["world_size"]) == (Status.SUCCEEDED, 3, 2)
    losses = read_losses(folder / METRICS)["fsdp"]
    assert losses == pytest.approx(losses_of_one_process(parse(Config, VALUES)), abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("checkpointing", {}),
        ("megatron", {"COMPARE": "false"}),
        ("zero", {"STAGES": "0,3", "OFFLOAD": "none"}),
    ],
)
def test_the_other_engines_have_the_losses_of_one_process_on_two_nodes(
    name: str, values: dict[str, str], tmp_path: Path, environment: dict[str, str]
) -> None:
    root, runs, given = copy_repository(tmp_path / "repository"), Path(environment["CLUSTERLAB_RUNS"]), FEW | values
    with two_nodes() as nodes:
        processes = [_start(root, environment | given, rank, nodes, name) for rank in range(2)]
        said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    [(folder, run)] = find_runs(runs)
    assert (run.status, run.metrics["world_size"]) == (Status.SUCCEEDED, 2)
    config = parse(Job.load(name, root=root).config_type, given)
    for losses in read_losses(folder / METRICS).values():
        assert losses == pytest.approx(losses_of_one_process(config), abs=2e-5)
