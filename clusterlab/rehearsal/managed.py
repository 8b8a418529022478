"""Rehearse a managed job on a spot machine that is taken back, or whose controller is killed.

The job's runs lie in a bucket that is mounted on the machine: what a machine that ended had written is there for the
next one, and the job goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from clusterlab.reaper.resource import Resource
from clusterlab.rehearsal import account
from clusterlab.rehearsal.client import SkyPilot, processes
from clusterlab.rehearsal.faults import Fault
from clusterlab.rehearsal.launch import Cluster, check_record
from clusterlab.rehearsal.on_cloud import Scene, check_nothing_left, check_tags
from clusterlab.rehearsal.steps import StepError
from clusterlab.run import RECORD, Run

POLL_SECONDS = 10.0
"""Asking SkyPilot takes two seconds of a processor, which the job would have."""
LAUNCH_SECONDS = 600
JOB_SECONDS = 1800
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def rehearse_managed_job(scene: Scene, cluster: Cluster, fault: Fault) -> None:
    """Play every step of one managed job and its fault.

    Raises:
        StepError: a step was not as it must be.
    """
    steps, lab = scene.steps, cluster.lab
    arguments = [*cluster.launch_arguments(), "--use-spot"]
    with steps.step(f"sky jobs launch {lab.path} --use-spot"):
        scene.sky.run("jobs", "launch", "-y", "-d", "-n", cluster.name, *arguments)
    with steps.step("a spot machine runs it, its checkpoints reach the bucket") as step:
        first = _machine(scene)
        wait_until(
            "a checkpoint in the bucket",
            lambda: checkpoints_in(scene.bucket) or is_over(scene.sky),
            JOB_SECONDS,
            scene.sky,
        )
        if not checkpoints_in(scene.bucket):
            raise StepError(f"the managed job is {status_of_job(scene.sky)}; {scene.sky.log} has what SkyPilot said")
        step.notes.append(
            f"{first.shape} in {first.zone}, spot; s3://{scene.bucket} mounted with MOUNT_CACHED (rclone)"
        )
    with steps.step("every machine and disk carries the cost tags") as step:
        step.notes.append(check_tags(lab))
    with steps.step(f"fault: {fault}") as step:
        step.notes.append(_preempt(first) if fault is Fault.PREEMPT else _kill_controller(scene))
    with steps.step("the job recovers and ends well") as step:
        wait_until("the job's end", lambda: is_over(scene.sky), JOB_SECONDS, scene.sky)
        if status_of_job(scene.sky) != "SUCCEEDED":
            raise StepError(f"the managed job is {status_of_job(scene.sky)}; {scene.sky.log} has what SkyPilot said")
        step.notes.append(_launches(fault))
    with steps.step("run.json comes back, its result as expected") as step:
        target = scene.out / cluster.name
        download_runs(scene.bucket, target)
        step.notes.append(check_record(target, lab))
        step.notes.append(attempts(target, wanted=2 if fault is Fault.PREEMPT else 1))
    with steps.step("nothing that is billed is left") as step:
        wait_until("the machine's end", lambda: not account.billed(), LAUNCH_SECONDS, scene.sky)
        step.notes.append(check_nothing_left())


def _machine(scene: Scene) -> Resource:
    def running() -> list[Resource]:
        return [each for each in account.billed() if each.kind == "instance"]

    wait_until("a machine", running, LAUNCH_SECONDS, scene.sky)
    (machine,) = running()
    if not machine.spot:
        raise StepError(f"{machine}: is not a spot machine")
    return machine


def _preempt(machine: Resource) -> str:
    account.preempt(machine.id)
    return f"{machine.id} taken back"


def _kill_controller(scene: Scene) -> str:
    """Cut the power of what watches over the job: its controller, and the API server in which it lives; start it again.

    The controller alone would not do: SkyPilot takes a job for failed whose controller died under a living API server.
    """
    controllers = processes("sky.jobs.controller")
    if not controllers:
        raise StepError("no controller of managed jobs was running")
    for pid in processes(""):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    scene.sky.run("api", "start")
    scene.sky.go_first()
    return f"{len(controllers)} controllers and the API server killed; started again"


def _launches(fault: Fault) -> str:
    """Whether as many machines were launched as the fault takes, and no more.

    Raises:
        StepError: another number.
    """
    wanted = 2 if fault is Fault.PREEMPT else 1
    launched = account.launched()
    if len(launched) != wanted:
        raise StepError(f"{len(launched)} machines were launched; expected {wanted}: {', '.join(map(str, launched))}")
    return f"{wanted} launched in all"


def attempts(folder: Path, *, wanted: int) -> str:
    """Whether the job went on from its checkpoint, where it had to.

    Raises:
        StepError: it began anew, or there was another attempt though none was needed.
    """
    (path,) = folder.rglob(RECORD)
    about = Run.load(path.parent).provenance
    if about["attempts"] != wanted or about["resumed"] is not (wanted > 1):
        raise StepError(f"{path}: {about['attempts']} attempts, resumed {about['resumed']}; expected {wanted}")
    return f"{wanted} attempts, resumed from a checkpoint" if wanted > 1 else "1 attempt"


def is_over(sky: SkyPilot) -> bool:
    """Whether the newest managed job has ended, well or not."""
    return status_of_job(sky).startswith(ENDED)


def status_of_job(sky: SkyPilot) -> str:
    """The status of the newest managed job."""
    said = sky.run("jobs", "queue", "--all", "-o", "json")
    jobs = json.loads(said[said.index("[") :])
    return str(jobs[0]["status"]).rpartition(".")[2]


def checkpoints_in(bucket: str) -> list[str]:
    """The keys of checkpoints in a bucket."""
    return [key for key in _keys(bucket) if "/checkpoints/" in key]


def _keys(bucket: str) -> list[str]:
    import boto3

    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def download_runs(bucket: str, target: Path) -> None:
    """Fetch the records and metrics of all runs in a bucket."""
    import boto3

    s3: Any = boto3.client("s3")
    for key in _keys(bucket):
        if key.endswith((RECORD, ".jsonl")):
            path = target / key
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(path))


def wait_until(what: str, ready: Callable[[], object], seconds: float, sky: SkyPilot) -> None:
    """Wait for something that happens elsewhere.

    Raises:
        StepError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StepError(f"{what}: did not come within {seconds:.0f} s; {sky.log} has what SkyPilot said")
        time.sleep(POLL_SECONDS)
