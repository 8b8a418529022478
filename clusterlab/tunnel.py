"""An SSH tunnel to an endpoint on a cluster's loopback: nothing of a cluster listens to the world."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clusterlab.errors import InputError, MissingError, Problem, UnreachableError
from clusterlab.local.keeper import keep, release

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
KEEP_ALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4")
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Tunnel:
    """One that stands."""

    cluster: str
    keeper: subprocess.Popen[bytes]
    said: IO[bytes]
    """What ssh says."""

    def follow(self) -> None:
        """Wait until it ends, which it does not by itself.

        Raises:
            UnreachableError: it ended; with what ssh said.
        """
        self.keeper.wait()
        raise UnreachableError(f"{self.cluster}: the tunnel ended: {self.last_words()}")

    def last_words(self) -> str:
        """Of an ssh that ended."""
        self.said.seek(0)
        return self.said.read().decode(errors="replace").strip() or f"ssh ended with {self.keeper.returncode}"


@contextmanager
def tunnel(cluster: str, *, port: int, to: int, config: Path | None = None) -> Iterator[Tunnel]:
    """Lead `port` of this machine's loopback to port `to` of the cluster's, for as long as the block lasts.

    `config` is the configuration of ssh, the user's own where it is not given: SkyPilot writes a host for each cluster.
    The tunnel does not outlive this process, however that ends.

    Raises:
        InputError: there is no such cluster, or the port is taken.
        MissingError: there is no ssh.
        UnreachableError: the cluster did not let us in within `START_SECONDS`; with what ssh said.
    """
    options = [] if config is None else ["-F", str(config)]
    _check_cluster(cluster, options)
    _check_port(port)
    # BatchMode: whoever cannot be let in by key is told so, and not asked for a password.
    settings = ["-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", *KEEP_ALIVE]
    command = ["ssh", *options, *settings, "-N", "-L", f"{LOOPBACK}:{port}:{LOOPBACK}:{to}", cluster]
    with tempfile.TemporaryFile() as said:
        keeper = keep(command, cwd=Path.cwd(), env=os.environ, output=said)
        try:
            stands = Tunnel(cluster=cluster, keeper=keeper, said=said)
            _wait(stands, port)
            yield stands
        finally:
            release(keeper)


def _check_cluster(cluster: str, options: list[str]) -> None:
    """What host ssh takes a name for: of one that no configuration has, the name itself."""
    if shutil.which("ssh") is None:
        raise MissingError("ssh: not installed; `sudo apt-get install openssh-client` installs it")
    if not cluster or cluster.startswith("-"):
        raise InputError(Problem(path="CLUSTER", message=f"{cluster!r}; allowed: a cluster of `sky status`"))
    found = subprocess.run(["ssh", *options, "-G", "--", cluster], capture_output=True, text=True, check=False)
    settings = dict(line.partition(" ")[::2] for line in found.stdout.splitlines())
    if settings.get("hostname", cluster) == cluster and "proxycommand" not in settings:
        message = (
            f"{cluster!r} is not known to ssh; allowed: a cluster of `sky status`, whose host SkyPilot writes down"
        )
        raise InputError(Problem(path="CLUSTER", message=message))


def _check_port(port: int) -> None:
    try:
        with socket.create_server((LOOPBACK, port)):
            pass
    except OSError as error:
        message = f"{port} cannot be had here: {os.strerror(error.errno or 0)}; allowed: one that nothing listens at"
        raise InputError(Problem(path="--port", message=message)) from error


def _wait(stands: Tunnel, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if stands.keeper.poll() is not None:
            raise UnreachableError(f"{stands.cluster}: no tunnel: {stands.last_words()}")
        with socket.socket() as attempt:
            if attempt.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(POLL_SECONDS)
    raise UnreachableError(f"{stands.cluster}: no tunnel within {START_SECONDS} s")
