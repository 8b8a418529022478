"""The real SkyPilot on the emulated cloud."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clusterlab.rehearsal.steps import RECORD
from tests.clusterlab.conftest import spoil
from tests.repository import ROOT

Rehearse = Callable[..., tuple[int, dict[str, Any], str]]


def steps(record: dict[str, Any]) -> dict[str, Any]:
    return {step["name"]: step for step in record["steps"]}


def test_a_lab_of_two_nodes_is_launched_checked_and_taken_down(rehearse: Rehearse, repository: Path) -> None:
    spoil(repository / "labs" / "echo.yaml", "workdir: .\n", "workdir: .\n\nnum_nodes: 2\n")
    with _taken(46580), _taken(5000):
        code, record, said = rehearse("labs/echo.yaml")
    assert (code, record["verdict"]) == (0, "PASS"), said
    found = steps(record)
    assert found["every machine and disk carries the cost tags"]["notes"][0].startswith("2 instances, 2 volumes")
    machines = found["machines are those that the lab asks for"]["notes"][0]
    assert machines.startswith("2 launched, each once; g6.xlarge: 1 L4")
    assert found["nothing that is billed is left"]["notes"][0].startswith("none of instance, volume, address")
    (run,) = (repository / "out").rglob("run.json")  # both nodes are one Ray, which ran one job
    values = json.loads(run.read_text())
    assert values["status"] == "succeeded"
    assert values["tags"]["student"] == "rehearsal"
    assert values["provenance"]["python"].startswith("3.11.")


def test_a_lab_is_sent_to_the_class_s_shared_cluster(rehearse: Rehearse, repository: Path) -> None:
    shutil.copy(ROOT / "sky.yaml", repository)
    for path in ROOT.glob("labs/allreduce.*"):
        shutil.copy(path, repository / "labs")
    code, record, said = rehearse("sky.yaml")
    assert (code, record["verdict"]) == (0, "PASS"), said
    sent = next(step for step in record["steps"] if "through a tunnel" in step["name"])
    assert sent["notes"][0].startswith("4 of 4 expectations met")


@pytest.mark.parametrize(
    ("faults", "injected"),
    [
        (
            ("capacity", "throttle"),
            ("RunInstances 1: InsufficientInstanceCapacity", "RequestLimitExceeded"),
        ),
        pytest.param(
            ("api-500", "lost-answer"),
            ("RunInstances 1: InternalError", "RunInstances 2: InternalError after it was done"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_launch_recovers_from_faults_of_the_cloud(
    rehearse: Rehearse, faults: tuple[str, str], injected: tuple[str, str]
) -> None:
    first, second = faults
    code, record, said = rehearse("labs/echo.yaml", "--fault", first, "--fault", second)
    assert (code, record["verdict"]) == (0, "PASS"), said
    told = steps(record)[f"recovery from {first}, {second}"]["notes"][0]
    assert all(each in told for each in injected), told


@pytest.mark.parametrize(
    ("fault", "launched"), [("preempt", 2), pytest.param("kill-controller", 1, marks=pytest.mark.slow)]
)
def test_a_managed_job_goes_on_from_its_checkpoint(
    rehearse: Rehearse, repository: Path, fault: str, launched: int
) -> None:
    lab = repository / "labs" / "echo.yaml"
    lab.write_text(lab.read_text().replace("PAUSE_SECONDS: 0", "PAUSE_SECONDS: 2\n  STEPS: 30"))
    code, record, said = rehearse("labs/echo.yaml", "--fault", fault)
    assert (code, record["verdict"]) == (0, "PASS"), said
    assert f"{launched} launched in all" in steps(record)["the job recovers and ends well"]["notes"]
    (run,) = (repository / "out").rglob("run.json")
    values = json.loads(run.read_text())
    assert values["provenance"]["attempts"] == launched
    assert (values["metrics"]["first"] > 0) is (launched == 2)


@pytest.mark.parametrize(
    ("number", "code", "verdict"),
    [(signal.SIGINT, 130, "STOPPED"), pytest.param(signal.SIGKILL, -9, None, marks=pytest.mark.slow)],
)
def test_nothing_is_left_of_a_rehearsal_that_is_interrupted_half_way(
    repository: Path, rehearse: Rehearse, number: int, code: int, verdict: str | None
) -> None:
    out = repository / "interrupted"
    command = [sys.executable, "-m", "clusterlab.cli", "rehearse", "labs/echo.yaml", "--out", str(out)]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.DEVNULL, start_new_session=True)
    _wait_for_step(out / RECORD, "sky launch labs/echo.yaml")
    time.sleep(5)
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)
    assert process.wait(timeout=60) == code
    if verdict:
        assert json.loads((out / RECORD).read_text())["verdict"] == verdict
    # What a killed one left of files is cleared by the next, which here is refused before it begins.
    assert rehearse("labs/echo.yaml", "--clusters", "0")[0] == 2
    _clear_stages()


@pytest.mark.slow
def test_a_cloud_that_dies_in_the_middle_is_one_clear_error(rehearse: Rehearse) -> None:
    code, record, said = rehearse("labs/echo.yaml", "--fault", "outage")
    assert code == 1, said
    assert record["verdict"] == "FAIL"
    assert "`sky launch" in record["steps"][-1]["notes"][0]


@pytest.mark.slow
def test_an_accelerator_that_the_catalog_does_not_know_is_one_clear_error(rehearse: Rehearse, repository: Path) -> None:
    lab = repository / "labs" / "echo.yaml"
    lab.write_text(lab.read_text().replace("{L4: 1, A10G: 1}", "{V100: 1}"))
    code, record, said = rehearse("labs/echo.yaml")
    assert code == 1, said
    assert "V100" in record["steps"][-1]["notes"][0]


def test_a_task_that_the_policy_refuses_is_one_clear_error(rehearse: Rehearse, repository: Path) -> None:
    spoil(repository / "labs" / "echo.yaml", "  cpus: 4+\n", "  cpus: 4+\n  ports: 8000\n")
    code, record, said = rehearse("labs/echo.yaml")
    assert code == 1, said
    assert "resources.ports: not allowed" in record["steps"][-1]["notes"][0]


@contextmanager
def _taken(port: int) -> Iterator[None]:
    """Listen on a port of this machine that a rehearsal has in its own network: it must not care.

    It is of those that any connection may be given: who has it already does as well.
    """
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        yield
    else:
        with server:
            yield


def _wait_for_step(path: Path, name: str) -> None:
    deadline = time.monotonic() + 300
    while not (path.exists() and name in path.read_text()):
        assert time.monotonic() < deadline, f"{name} did not begin"
        time.sleep(0.2)


def _clear_stages() -> None:
    from clusterlab.rehearsal.stage import _stage, folder

    with _stage(folder() / "stages"):
        pass
