from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.run import METRICS, Status, find_runs
from jobs.fsdp import Config
from jobs.launch.embedded import embedded_ray, joined_ray
from jobs.llm.curve import read_losses
from tests.jobs.parallel.reference import losses_of_one_process
from tests.repository import MARK, copy_repository, marked, no_process_left, wait_until

VALUES = {"SCALE": "tiny", "STEPS": "100", "CHECKPOINT_EVERY": "10"}
TOKEN = "of-these-two-nodes-alone"
HEAD, OTHER = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Whatever is started with it must be gone at the end."""
    with no_process_left(uuid.uuid4().hex) as environment:
        yield environment


@pytest.mark.slow
def test_a_training_on_a_shared_ray_goes_on_without_the_node_that_it_lost(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, runs = copy_repository(tmp_path / "repository"), tmp_path / "runs"
    monkeypatch.setenv(MARK, environment[MARK])
    with (
        embedded_ray(root=root, log=tmp_path / "head.log", host=HEAD, token=TOKEN) as head,
        joined_ray(head.nodes_address, root=root, host=OTHER, token=TOKEN),
    ):
        wait_until(lambda: _raylets(environment[MARK]).keys() == {HEAD, OTHER})
        given = {"RAY_ADDRESS": head.address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(head.token_path)}
        job = subprocess.Popen(
            [sys.executable, "-m", "jobs.submit", "fsdp"],
            cwd=root,
            env=environment | VALUES | given | {"CLUSTERLAB_RUNS": str(runs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_until(
            lambda: job.poll() is not None or any('"step": 15,' in path.read_text() for path in runs.rglob(METRICS))
        )
        os.kill(_raylets(environment[MARK])[OTHER], signal.SIGKILL)
        said, _ = job.communicate()
    assert job.returncode == 0, said
    assert "lost a worker, 1 of at most 3" in said
    [(folder, run)] = find_runs(runs)
    assert (run.status, run.provenance["attempts"], run.metrics["world_size"]) == (Status.SUCCEEDED, 1, 2)
    losses = read_losses(folder / METRICS)["fsdp"]
    assert losses == pytest.approx(losses_of_one_process(parse(Config, VALUES)), abs=1e-3)


def _raylets(mark: str) -> dict[str, int]:
    """The process of each node's Ray, by the node's address."""
    found = {}
    for pid in marked(mark):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if words[0].endswith("/raylet"):
            address = next(word for word in words if word.startswith("--node_ip_address="))
            found[address.partition("=")[2]] = pid
    return found
