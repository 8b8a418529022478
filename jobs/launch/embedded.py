"""A Ray of our own: it lives exactly as long as this process needs it, and beside any other Ray of the machine."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.errors import UnreachableError
from clusterlab.local.keeper import keep, release

HOST = "127.0.0.1"
OBJECT_STORE_BYTES = 256 * 2**20
START_SECONDS = 300
"""It takes four on an idle machine; one that several sandboxes or labs share took longer than a minute and a half."""
ATTEMPTS = 3
"""A port that was free may be taken by another process before Ray binds it."""
PORTS = range(20000, 30000)
"""Below those that systems give to whoever asks for any port: Ray binds some of ours only seconds after we looked."""
MAX_TEMPORARY = 40
"""Letters in a folder that still leave room for Ray's sockets below it: a socket's path has at most 107."""

START = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block")
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""One node only: then Ray binds the loopback and not the address of the network card."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """A running head."""

    address: str
    """`http://127.0.0.1:port` of the dashboard, which serves the Jobs API."""
    nodes_address: str
    """`host:port` where further nodes join."""
    token: str = field(repr=False)
    """Kept here too: the folder of a Ray that ends at once is gone before it was asked."""
    token_path: Path
    """Only its owner can read it."""
    python: str
    """The interpreter that Ray's workers run in."""

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries to be let in."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedRay:
    """A running node of a Ray whose head is elsewhere."""

    keeper: subprocess.Popen[bytes]
    """It ends when the node does."""
    log: Path
    """What the node says; gone with it."""


@contextmanager
def embedded_ray(
    *, root: Path, log: Path, host: str = HOST, token: str | None = None, dashboard_port: int | None = None
) -> Iterator[Embedded]:
    """Start a head on free ports, with `root` as working folder; what it prints goes to `log`.

    It is on the loopback and alone, or at `host` where other nodes join it; its dashboard is on the loopback always.
    The token is a new one where none is given.

    Raises:
        UnreachableError: it did not start within `START_SECONDS`.
    """
    with ExitStack() as stack:
        for _ in range(ATTEMPTS):
            head = _start(stack, root, log, host, token or secrets.token_urlsafe(32), dashboard_port)
            if head is not None:
                break
            stack.close()
        else:
            raise UnreachableError(f"embedded Ray: did not start ({ATTEMPTS} attempts); {log} has what it said")
        yield head


@contextmanager
def joined_ray(address: str, *, root: Path, host: str, token: str) -> Iterator[JoinedRay]:
    """Start a node of the Ray at `address`; it and its folder are gone at the end."""
    with _temporary(token) as (temporary, token_path):
        agent, metric = _free_ports(2)
        log = temporary / "ray.log"
        with log.open("ab") as output:
            keeper = keep(
                [
                    *(*START, f"--address={address}", f"--node-ip-address={host}"),
                    *(f"--dashboard-agent-listen-port={agent}", *_options(temporary / "ray")),
                ],
                cwd=root,
                env=_environment(root, token_path, metric_port=metric),
                output=output,
                remove=[temporary],
            )
        try:
            yield JoinedRay(keeper=keeper, log=log)
        finally:
            release(keeper)


def _start(
    stack: ExitStack, root: Path, log: Path, host: str, token: str, dashboard_port: int | None
) -> Embedded | None:
    """Start a head and wait until it answers; None where it ended before."""
    temporary, token_path = stack.enter_context(_temporary(token))
    free_dashboard, gcs, client, agent, metric = _free_ports(5)
    dashboard = dashboard_port or free_dashboard
    head = Embedded(
        address=f"http://{HOST}:{dashboard}",
        nodes_address=f"{host}:{gcs}",
        token=token,
        token_path=token_path,
        python=sys.executable,
    )
    with log.open("ab") as output:
        keeper = keep(
            # Ray opens the folder that it is given to everybody, so it gets one within ours.
            _command(temporary / "ray", host, dashboard, gcs, client, agent),
            cwd=root,
            env=_environment(root, token_path, metric_port=metric) | (ALONE if host == HOST else {}),
            output=output,
            remove=[temporary],
        )
    stack.callback(release, keeper)
    _wait(head, keeper, log)
    return head if keeper.poll() is None else None


@contextmanager
def _temporary(token: str) -> Iterator[tuple[Path, Path]]:
    """A folder of our own with a token in it; the keeper removes it too, in case that we are killed."""
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir=_short_folder()))
    try:
        token_path = temporary / "token"
        token_path.touch(mode=0o600)
        token_path.write_text(token)
        yield temporary, token_path
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _command(
    temporary: Path, host: str, dashboard_port: int, gcs_port: int, client_port: int, agent_port: int
) -> list[str]:
    return [
        *(*START, "--head", f"--port={gcs_port}", "--include-dashboard=true", f"--dashboard-host={HOST}"),
        *(() if host == HOST else (f"--node-ip-address={host}",)),
        *(f"--dashboard-port={dashboard_port}", f"--dashboard-agent-listen-port={agent_port}"),
        *(f"--ray-client-server-port={client_port}", "--no-monitor", *_options(temporary)),
    ]


def _options(temporary: Path) -> list[str]:
    """What every node is told."""
    return [
        *("--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={temporary}", f"--num-cpus={os.cpu_count()}"),
        *(f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats", "--log-color=false"),
    ]


def _environment(root: Path, token_path: Path, *, metric_port: int) -> dict[str, str]:
    """This process's environment without what belongs to another Ray, such as the one that SkyPilot runs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    paths = (str(root), inherited.get("PYTHONPATH", ""))
    return inherited | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), inherited.get("PATH", os.defpath))),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        # Python's helpers leave folders there when they are killed, and this one is removed.
        "TMPDIR": str(token_path.parent),
        "DASHBOARD_METRIC_PORT": str(metric_port),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_path),
        # Workers started ahead would only be in the way: a job's own workers get another environment.
        "RAY_prestart_worker_first_driver": "0",
        # Ray starts its workers at niceness 15; this one is what the machine is there for.
        "RAY_worker_niceness": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _wait(head: Embedded, keeper: subprocess.Popen[bytes], log: Path) -> None:
    """Return when its node lives, or when it has ended.

    The dashboard answers long before: on a busy machine Ray gives its node up after 30 s, and ends with it.
    """
    # Takes over a second, and is needed next: do it while the head starts.
    import ray.job_submission  # noqa: F401

    deadline = time.monotonic() + START_SECONDS
    while keeper.poll() is None and not _lives(head):
        if time.monotonic() > deadline:
            message = f"did not answer within {START_SECONDS} s; {log} has what it said"
            raise UnreachableError(f"embedded Ray: {head.address}: {message}")
        time.sleep(0.05)


def _lives(head: Embedded) -> bool:
    url = f"{head.address}/nodes?view=summary"
    request = urllib.request.Request(url, headers=head.headers)  # noqa: S310 (our own address)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (our own address)
            nodes = json.load(answer)["data"]["summary"]
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False
    return any(node["raylet"].get("state") == "ALIVE" for node in nodes)


def _short_folder() -> str:
    default = tempfile.gettempdir()
    return default if len(default) <= MAX_TEMPORARY else "/tmp"  # noqa: S108 (mkdtemp makes it ours)


def _free_ports(number: int) -> list[int]:
    """So many different ports that nobody listens on, at any address."""
    ports: list[int] = []
    for port in secrets.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == number:
            break
    return ports
