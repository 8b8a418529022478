"""Replicas of a server on Ray Serve, asked for from outside: how many run, when they come and go, and killing one."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from clusterlab.errors import UnreachableError
from jobs.serving.endpoint import Endpoint

PATH = "/replicas"
RUNNING = "RUNNING"
POLL_SECONDS = 0.1


def running(endpoint: Endpoint) -> list[int]:
    """The process ids of the replicas of the endpoint's model that take requests.

    Raises:
        UnreachableError: the server does not say.
    """
    request = urllib.request.Request(endpoint.url + PATH, headers=endpoint.headers)  # noqa: S310 (our own server)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (our own server)
            replicas = json.load(answer)[endpoint.model]
    except (urllib.error.URLError, OSError) as error:
        raise UnreachableError(f"{endpoint.url}{PATH}: {error}") from error
    return [replica["pid"] for replica in replicas if replica["state"] == RUNNING]


def seconds_until(endpoint: Endpoint, reached: Callable[[list[int]], bool], *, limit_seconds: float) -> float:
    """How long it takes until the replicas that run are as wanted.

    Raises:
        UnreachableError: they are not within the limit.
    """
    begin = time.monotonic()
    while not reached(pids := running(endpoint)):
        if time.monotonic() - begin > limit_seconds:
            raise UnreachableError(f"{endpoint.url}: {len(pids)} replicas run after {limit_seconds:g} s")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begin


def kill_one(endpoint: Endpoint) -> int:
    """End one replica without a warning, as a lost machine does; its process id."""
    pid = min(running(endpoint))
    os.kill(pid, signal.SIGKILL)
    return pid
