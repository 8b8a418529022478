"""Submit a job to Ray, to our own or to the cluster at RAY_ADDRESS, and follow it to its end.

On several nodes SkyPilot runs this on each: rank 0 submits, the others are nodes of its Ray until it ends.

python -m jobs.submit qlora
STEPS=20 RAY_ADDRESS=http://head:8265 python -m jobs.submit qlora
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError, UnreachableError
from clusterlab.ray_address import ADDRESS_VARIABLE, given_token, timeout
from clusterlab.request import Request
from clusterlab.run import RECORD, Asked, Run, Status, discard_if_empty, held
from jobs.launch.cluster import Cluster
from jobs.launch.embedded import START_SECONDS, embedded_ray
from jobs.launch.folder import choose_folder
from jobs.launch.gate import LostNodeError
from jobs.launch.members import join, ray_of_nodes
from jobs.launch.nodes import Nodes

ROOT = Path(__file__).resolve().parents[1]
RAY_LOG = "ray.log"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job to its end.

    Returns 0 where it succeeded and else the code of `clusterlab.errors`.
    """
    parser = argparse.ArgumentParser(prog="python -m jobs.submit", description="The job's values come from envs.")
    parser.add_argument("job", help="a module in jobs/")
    name = parser.parse_args(arguments).job
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _interrupt)
    try:
        submit(name, os.environ)
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from its last checkpoint", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def submit(name: str, environment: Mapping[str, str]) -> Path | None:
    """Run a job to its end, with what the environment says.

    Returns the folder of the run; None at another rank than 0, which has none.

    Raises:
        InputError: something that was asked for is wrong; nothing has been started then.
        StorageError: the run's folder cannot be written.
        UnreachableError: there is no Ray within the time limit, or a node of it was lost.
        ClusterlabError: the job failed, with the exit code that it ended with.
        KeyboardInterrupt: it was stopped; so is the job, and the record says so.
    """
    request = Request.of(name, environment, root=ROOT)
    nodes = Nodes.of(environment)
    if nodes is not None and nodes.rank > 0:
        if not environment.get(ADDRESS_VARIABLE):
            join(nodes, root=ROOT, seconds=timeout(environment, default=START_SECONDS))
        return None
    timeout(environment)
    folder = choose_folder(request.asked, environment)
    try:
        with held(folder), _ray(environment, nodes, folder) as (cluster, python, upload):
            details = _run(cluster, request, folder, python, upload)
            _raise_failure(name, details, folder)
    except UnreachableError:
        discard_if_empty(folder)
        raise
    return folder


def _run(cluster: Cluster, request: Request, folder: Path, python: str, upload: Path | None) -> Any:
    """Submit and follow; returns Ray's `JobDetails`."""
    job_id = cluster.submit(request, folder, python=python, upload=upload)
    try:
        details = cluster.follow(job_id)
    except (KeyboardInterrupt, LostNodeError):
        cluster.stop(job_id)
        _mark_stopped(folder)
        raise
    _fetch_record(folder, request.asked, cluster.output_end)
    return details


@contextmanager
def _ray(
    environment: Mapping[str, str], nodes: Nodes | None, folder: Path
) -> Iterator[tuple[Cluster, str, Path | None]]:
    """The cluster, the Python that its nodes run, and the folder that they need of us."""
    address, seconds = environment.get(ADDRESS_VARIABLE), timeout(environment)
    if address:
        token = given_token(environment)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        yield Cluster.connect(address, seconds=seconds, headers=headers), "python", ROOT
    elif nodes is None:
        with embedded_ray(root=ROOT, log=folder / RAY_LOG) as head:
            yield Cluster.connect(head.address, seconds=seconds, headers=head.headers), head.python, None
    else:
        limit = timeout(environment, default=START_SECONDS)
        with ray_of_nodes(nodes, root=ROOT, log=folder / RAY_LOG, seconds=limit) as (head, gate):
            cluster = Cluster.connect(head.address, seconds=seconds, headers=head.headers)
            cluster.check = gate.check
            yield cluster, head.python, None


def _mark_stopped(folder: Path) -> None:
    """For a job that had to be killed before it could write its own end."""
    if (folder / RECORD).exists():
        run = Run.load(folder)
        if run.status is Status.RUNNING:
            dataclasses.replace(run, status=Status.STOPPED).save(folder)


def _fetch_record(folder: Path, asked: Asked, output_end: str) -> None:
    """Write the record here where the node has another disk: the last thing that a job prints is its record.

    What its workers say reaches the output late, so lines of theirs may come after it.
    """
    if (folder / RECORD).exists() and Run.load(folder).status is not Status.RUNNING:
        return
    for line in reversed(output_end.splitlines()):
        try:
            run = Run.of(json.loads(line))
        except (ValueError, TypeError, KeyError):
            continue
        if run.fingerprint == asked.fingerprint:
            run.save(folder)
            return


def _raise_failure(name: str, details: Any, folder: Path) -> None:
    if details.status == "SUCCEEDED":
        if not (folder / RECORD).exists():
            raise ClusterlabError(f"jobs.{name}: succeeded, but its record did not come back to {folder}")
        return
    if details.status == "STOPPED":
        raise KeyboardInterrupt
    run = Run.load(folder) if (folder / RECORD).exists() else None
    reason = (run.error if run else None) or details.message
    failure = ClusterlabError(f"jobs.{name}: failed: {reason}; {folder} has its record")
    failure.exit_code = details.driver_exit_code or ClusterlabError.exit_code
    raise failure


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
