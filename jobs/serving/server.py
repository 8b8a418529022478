"""A server's process: started, waited for, drained, and gone with whoever started it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from clusterlab.errors import ClusterlabError, InputError, Problem, StorageError, UnreachableError
from clusterlab.local.keeper import keep, release
from jobs.launch.environments import ROOT, python_of
from jobs.serving.endpoint import LOOPBACK, Endpoint, key_of
from jobs.serving.engine import Engine
from jobs.serving.settings import DRAIN_SECONDS, ServerSettings

END_SECONDS = 5
"""How long a server may take to end after its last answer, before it is killed."""
POLL_SECONDS = 0.1
HEALTH_SECONDS = 5
"""How long a server may be silent when it is asked whether it is well."""
LAST_LINES = 20


@contextmanager
def serving(
    engine: Engine, settings: ServerSettings, *, log: Path, limit_seconds: float, port: int = 0
) -> Iterator[Endpoint]:
    """A server for as long as the block lasts; what it says goes to `log`.

    It is on the loopback, at `port` or, of 0, at one that was free. At the end it gets a SIGTERM and answers what it
    was asked, for at most `DRAIN_SECONDS`; then it is killed with all that it started. So it is too when this process
    is killed.

    Raises:
        InputError: the port is taken.
        MissingError: the engine's environment is not on this machine.
        UnreachableError: it was not ready within the limit.
        ClusterlabError: it ended before it was ready; with what it said last.
    """
    python, port, key = python_of(engine.environment), _free_port(port), key_of(os.environ)
    endpoint = Endpoint(url=f"http://{LOOPBACK}:{port}", model=settings.served_name, api_key=key)
    variables = {"PYTHONPATH": str(ROOT), engine.key_variable: key} | engine.environ(settings)
    keeper = _start([python, *engine.command(settings, port)], variables, log)
    try:
        _wait(engine, endpoint, keeper, log, limit_seconds)
        yield endpoint
    finally:
        release(keeper)


def healthy(engine: Engine, endpoint: Endpoint) -> bool:
    """Whether the server says that it can be asked."""
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", engine.health)
        return connection.getresponse().status == http.client.OK
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def _start(command: list[str], variables: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as output:
            return keep(
                command,
                cwd=ROOT,
                env=os.environ | variables,
                output=output,
                grace_seconds=DRAIN_SECONDS + END_SECONDS,
                drain=True,
            )
    except OSError as error:
        raise StorageError(f"{log}: cannot be written: {error.strerror}") from error


def _wait(engine: Engine, endpoint: Endpoint, keeper: subprocess.Popen[bytes], log: Path, limit_seconds: float) -> None:
    deadline = time.monotonic() + limit_seconds
    while not healthy(engine, endpoint):
        if keeper.poll() is not None:
            raise ClusterlabError(f"{engine.name}: ended with {keeper.returncode}; {log} ends in:\n{_last_lines(log)}")
        if time.monotonic() > deadline:
            message = f"not ready after {limit_seconds:g} s; {log} ends in:\n{_last_lines(log)}"
            raise UnreachableError(f"{engine.name}: {message}")
        time.sleep(POLL_SECONDS)


def _last_lines(log: Path) -> str:
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(said[-LAST_LINES:])


def _free_port(wanted: int) -> int:
    try:
        with socket.create_server((LOOPBACK, wanted)) as attempt:
            port: int = attempt.getsockname()[1]
    except OSError as error:
        message = f"{os.strerror(error.errno or 0)}; allowed: one that nothing listens at, or 0"
        raise InputError(Problem(path=f"PORT={wanted}", message=message)) from error
    return port
