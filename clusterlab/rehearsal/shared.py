"""Rehearse the class's shared Ray cluster: launched from `sky.yaml`, with a lab sent to it as a student would."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterlab.document import Document
from clusterlab.errors import UnreachableError
from clusterlab.lab import Lab
from clusterlab.rehearsal import account
from clusterlab.rehearsal.client import SkyPilot
from clusterlab.rehearsal.launch import SHARED, STUDENT, check_record
from clusterlab.rehearsal.on_cloud import Scene, check_nothing_left, check_tags_of
from clusterlab.rehearsal.steps import StepError
from clusterlab.tags import Tags

CLUSTER = "llm-2026"
DASHBOARD = 31265
"""Where the head has Ray's dashboard, on its loopback; `jobs/launch/nodes.py` says so."""
TUNNEL = 8265
STUDENTS_LAB = "labs/allreduce.yaml"
"""What is sent to it: it takes every node to end well."""
START_SECONDS = 120


def rehearse_shared_cluster(scene: Scene) -> None:
    """Play every step; the first that is not as it must be ends it.

    Raises:
        StepError: that step, with what was seen.
    """
    steps, sky, token = scene.steps, scene.sky, secrets.token_hex(24)
    task = Document.load(Path(SHARED), [])
    num_nodes, lab = task.integer_at("num_nodes", default=1), Lab.load(Path(STUDENTS_LAB))
    with steps.step(f"sky launch -c {CLUSTER} {SHARED}") as step:
        sky.run("launch", "-y", "-d", "-c", CLUSTER, SHARED, "--secret", f"RAY_AUTH_TOKEN={token}")
        step.notes.append(f"{len(account.launched())} machines")
    with steps.step("every machine and disk carries the cost tags") as step:
        labels = task.mapping_at("resources.labels")
        step.notes.append(check_tags_of({"course": str(labels["course"]), "lab": str(labels["lab"])}))
        if len(account.launched()) != num_nodes:
            raise StepError(f"{len(account.launched())} machines were launched; the task has {num_nodes} nodes")
    with (
        steps.step(f"{STUDENTS_LAB} is sent to it through a tunnel, and its run.json comes back") as step,
        tunnel(sky, CLUSTER),
    ):
        submit(sky, lab, token, student=STUDENT, runs=scene.out / "submitted")
        step.notes.append(check_record(scene.out / "submitted", lab))
    with steps.step(f"sky down {CLUSTER}"):
        sky.run("down", "-y", CLUSTER)
    with steps.step("nothing that is billed is left") as step:
        step.notes.append(check_nothing_left())


@contextmanager
def tunnel(sky: SkyPilot, cluster: str) -> Iterator[str]:
    """A student's tunnel to the Ray of a cluster; gives its address here.

    Raises:
        StepError: it is not up in time.
    """
    forward = f"{TUNNEL}:127.0.0.1:{DASHBOARD}"
    options = ("-F", f"{sky.home}/.ssh/config", "-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=ERROR")
    command = ["ssh", *options, "-N", "-L", forward, cluster]
    process = subprocess.Popen(command, env=sky.environment(), stdin=subprocess.DEVNULL)
    try:
        _wait_for_port(process, cluster)
        yield f"http://127.0.0.1:{TUNNEL}"
    finally:
        process.terminate()
        process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], cluster: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", TUNNEL)) == 0:
                return
        time.sleep(0.1)
    raise StepError(f"the tunnel to {cluster} was not up within {START_SECONDS} s")


def submit(sky: SkyPilot, lab: Lab, token: str, *, student: str, runs: Path) -> None:
    """What a student types, in the environment that `make env` made here.

    Raises:
        StepError: the job did not end well.
    """
    tags = Tags(course=lab.resources.labels["course"], lab=lab.name, student=student)
    environment = sky.environment() | {
        "PATH": f"{sky.root}/.venv/train/bin:{os.environ['PATH']}",
        "RAY_ADDRESS": f"http://127.0.0.1:{TUNNEL}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "CLUSTERLAB_TAGS": tags.format(),
        "CLUSTERLAB_RUNS": str(runs),
        "SCALE": "tiny",
    }
    command = ["python", "-m", "jobs.submit", lab.job]
    deadline = time.monotonic() + START_SECONDS
    while True:
        result = subprocess.run(command, cwd=sky.root, env=environment, capture_output=True, text=True, check=False)
        with sky.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{result.stdout}{result.stderr}\n")
        # The cluster is up before its Ray is.
        if result.returncode != UnreachableError.exit_code or time.monotonic() > deadline:
            break
        time.sleep(2)
    if result.returncode:
        raise StepError(f"`{' '.join(command)}` ended with {result.returncode}: {result.stderr.strip()[-800:]}")
