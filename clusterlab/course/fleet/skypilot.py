"""SkyPilot itself: a fleet's requests go to its API server, by its SDK."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.course.fleet.launcher import Condition, Fault, LaunchError, Seen, Want
from clusterlab.errors import MissingError, UnreachableError

INSTALL = "pip install 'clusterlab[sky]'"
LAUNCH = "sky.launch"
"""What SkyPilot's server calls a request for a cluster."""
UNDER_WAY = ("PENDING", "WAITING", "RUNNING")
THROTTLED = re.compile(r"RequestLimitExceeded|Throttl|TooManyRequests|SlowDown|rateLimitExceeded|RATE_LIMIT_EXCEEDED")
CAPACITY = re.compile(
    r"Failed to acquire resources|Insufficient\w*Capacity|UnfulfillableCapacity|RESOURCE_POOL_EXHAUSTED"
)
"""SkyPilot 0.14.1 says the first of a place that had no machine; the cloud's own word is in its log of the launch."""
HOPELESS = re.compile(r"credential|permission|not authorized|access ?denied", re.IGNORECASE)
"""Where it adds this as the reason, no machine comes free."""
PASSING = ("RequestInterruptedError", "ServerTemporarilyUnavailableError", "ConcurrentWorkerExhaustedError")
"""What SkyPilot raises where its server was stopped, or had its hands full."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REASON_CHARACTERS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class SkyPilot:
    """The API server that is configured here, one of this machine where none is.

    Raises:
        MissingError: SkyPilot is not installed.
    """

    def __post_init__(self) -> None:
        _sky()

    def clusters(self, *, fresh: bool) -> Sequence[Seen]:
        """All that are there; with `fresh`, those that may have ended by themselves are looked at."""
        sky = _sky()
        refresh = sky.StatusRefreshMode.AUTO if fresh else sky.StatusRefreshMode.NONE
        records = _answer(lambda: sky.get(sky.status(refresh=refresh, all_users=True)))
        return [_seen(record) for record in records]

    def launching(self) -> Mapping[str, str]:
        """The launches that are under way, whoever asked."""
        sky = _sky()
        requests = _answer(sky.api_status)
        return {each.cluster_name: each.request_id for each in requests if each.name == LAUNCH and each.cluster_name}

    def launch(self, want: Want) -> str:
        """Have the course's policy look at the task, and send it."""
        sky = _sky()

        def send() -> str:
            return str(sky.launch(sky.Task.from_yaml_config(dict(want.task)), cluster_name=want.name))

        return str(_answer(send))

    def end_when_idle(self, name: str, minutes: int) -> str:
        """Have it taken down after so many minutes without a job."""
        sky = _sky()
        return str(_answer(lambda: sky.autostop(name, minutes, down=True)))

    def end(self, name: str) -> str:
        """Have it taken down."""
        sky = _sky()
        return str(_answer(lambda: sky.down(name)))

    def ended(self, requests: Collection[str]) -> Mapping[str, LaunchError | None]:
        """Those that have ended, with what went wrong."""
        sky = _sky()
        known = {each.request_id: each for each in _answer(lambda: sky.api_status(request_ids=list(requests)))}
        found: dict[str, LaunchError | None] = {}
        for request in requests:
            if request not in known:
                # A server of this machine begins with an empty list.
                found[request] = LaunchError(Fault.INTERRUPTED, "SkyPilot's server was started anew")
            elif known[request].status not in UNDER_WAY:
                found[request] = _trouble(request, interrupted=known[request].should_retry)
        return found


def _sky() -> Any:
    try:
        import sky
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
    return sky


def _trouble(request: str, *, interrupted: bool) -> LaunchError | None:
    sky = _sky()
    try:
        _answer(lambda: sky.get(request))
    except LaunchError as error:
        return LaunchError(Fault.INTERRUPTED, str(error)) if interrupted else error
    return None


def _answer(call: Callable[[], Any]) -> Any:
    """What a call of SkyPilot's SDK returns, while it says nothing on the terminal.

    Raises:
        UnreachableError: its server does not answer.
        LaunchError: it was refused.
    """
    from sky import sky_logging

    def quietly() -> Any:
        with sky_logging.silent():
            return call()

    # It raises here what was raised in its server, of whatever class that was; a future has it as a value.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(quietly)
        error = future.exception()
    if error is None:
        return future.result()
    raise told(error) from error


def told(error: BaseException) -> Exception:
    """An error of SkyPilot's as one of ours, by what is in it and in those of each place that was tried."""
    from requests import exceptions as requests
    from sky import exceptions

    if isinstance(error, exceptions.ApiServerConnectionError | requests.ConnectionError | requests.Timeout):
        return UnreachableError(f"SkyPilot's API server: {_reason(str(error))}")
    if isinstance(error, exceptions.UserRequestRejectedByPolicy):
        _, _, problems = str(error).partition("the course refuses it")
        return LaunchError(Fault.REFUSED, _reason(problems or str(error)))
    places = [str(each) for each in getattr(error, "failover_history", ())]
    return LaunchError(_fault(error, [str(error), *places]), _reason(places[-1] if places else str(error)))


def _fault(error: BaseException, told: Sequence[str]) -> Fault:
    if type(error).__name__ in PASSING:
        return Fault.INTERRUPTED
    if any(THROTTLED.search(each) for each in told):
        return Fault.THROTTLED
    full = any(CAPACITY.search(each) and not HOPELESS.search(each) for each in told)
    return Fault.CAPACITY if full else Fault.FAILED


def _reason(text: str) -> str:
    """In one line, and not too long a one."""
    lines = (line.strip() for line in COLOUR.sub("", text).splitlines())
    shown = "; ".join(line for line in lines if line)
    return shown if len(shown) <= REASON_CHARACTERS else f"{shown[:REASON_CHARACTERS]}..."


def _seen(record: Any) -> Seen:
    sky = _sky()
    conditions = {sky.ClusterStatus.UP: Condition.UP, sky.ClusterStatus.STOPPED: Condition.STOPPED}
    sick = Condition.SICK if record.init_kind == "unhealthy" else Condition.HALF
    return Seen(
        name=record.name,
        condition=conditions.get(record.status, sick),
        labels=record.labels or {},
        idle_minutes=None if record.autostop < 0 else record.autostop,
        down=record.to_down,
    )
