"""The class's shared Ray: on every node of a cluster, until it has had no job for a while.

python -m jobs.launch.shared --idle-minutes 30

SkyPilot counts a task that runs as work. So this stays for as long as students have jobs, and no machine is taken from
under them; and it ends when they have none, so that autostop takes the machines. A Ray that outlived the task would be
idle in SkyPilot's eyes while students train.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError, InputError, Problem, StorageError
from clusterlab.ray_address import TOKEN_VARIABLE, given_token, timeout
from jobs.launch.cluster import Cluster
from jobs.launch.embedded import START_SECONDS, Embedded, embedded_ray
from jobs.launch.members import join, ray_of_nodes
from jobs.launch.nodes import DASHBOARD_PORT, Nodes

ROOT = Path(__file__).resolve().parents[2]
LOG = Path("runs", "shared", "ray.log")
POLL_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Be one node of the shared Ray to its end.

    Returns 0 where it ended for want of jobs and else the code of `clusterlab.errors`.
    """
    parser = argparse.ArgumentParser(prog="python -m jobs.launch.shared", description="The class's shared Ray.")
    parser.add_argument("--idle-minutes", type=float, default=30, help="how long it stays without a job")
    minutes = parser.parse_args(arguments).idle_minutes
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _interrupt)
    try:
        share(os.environ, idle_seconds=minutes * 60)
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("shared Ray: stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def share(environment: Mapping[str, str], *, idle_seconds: float) -> None:
    """Start the shared Ray, or join it at another rank than 0, and stay until it is idle.

    Raises:
        InputError: there is no token, or what SkyPilot says contradicts itself.
        UnreachableError: Ray did not start, a node did not join, or one was lost.
    """
    token, nodes = given_token(environment), Nodes.of(environment)
    if token is None:
        message = f"missing; `sky launch --secret {TOKEN_VARIABLE}` gives it, `openssl rand -hex 24` makes one"
        raise InputError(Problem(path=TOKEN_VARIABLE, message=message))
    if not 0 < idle_seconds < float("inf"):
        raise InputError(Problem(path="--idle-minutes", message="allowed: minutes above 0"))
    seconds = timeout(environment, default=START_SECONDS)
    if nodes is not None and nodes.rank > 0:
        join(nodes, root=ROOT, seconds=seconds)
        return
    with _head(nodes, token, seconds) as (head, check):
        cluster = Cluster.connect(head.address, seconds=seconds, headers=head.headers)
        print(f"shared Ray: {len(nodes.addresses) if nodes else 1} node(s), Jobs API at {head.address}", flush=True)
        stay_while_busy(lambda: _num_running(cluster), check, idle_seconds=idle_seconds)
    print(f"shared Ray: no job for {idle_seconds / 60:g} minutes, so it ended", flush=True)


def stay_while_busy(num_running: Callable[[], int], check: Callable[[], None], *, idle_seconds: float) -> None:
    """Return when no job has run for so long; `check` raises where a node is lost."""
    last_busy = time.monotonic()
    while time.monotonic() - last_busy < idle_seconds:
        check()
        if num_running():
            last_busy = time.monotonic()
        time.sleep(min(POLL_SECONDS, idle_seconds))


@contextmanager
def _head(nodes: Nodes | None, token: str, seconds: float) -> Iterator[tuple[Embedded, Callable[[], None]]]:
    log = _log()
    if nodes is None:
        with embedded_ray(root=ROOT, log=log, token=token, dashboard_port=DASHBOARD_PORT) as head:
            yield head, lambda: None
        return
    with ray_of_nodes(nodes, root=ROOT, log=log, seconds=seconds, dashboard_port=DASHBOARD_PORT) as (head, gate):
        yield head, gate.check


def _num_running(cluster: Cluster) -> int:
    """Jobs that have not ended; one that waits for a GPU counts."""
    return sum(not job.status.is_terminal() for job in cluster.client.list_jobs())


def _log() -> Path:
    log = LOG.absolute()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{log}: cannot be written: {error.strerror}") from error
    return log


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
