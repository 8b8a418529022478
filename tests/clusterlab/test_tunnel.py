"""Against a real sshd, of this test's own, that stands for a cluster's head."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clusterlab.errors import InputError, UnreachableError
from clusterlab.tunnel import tunnel
from tests.ports import free_port
from tests.repository import ROOT, marked, no_process_left, wait_until
from tests.web import Handler, serving

CLUSTER = "llm-2026"


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A cluster's head: what ssh knows of it, and where it serves."""

    config: Path
    endpoint: int
    sshd: subprocess.Popen[bytes]


class _Hello(Handler):
    def respond(self) -> None:
        self.send(b"hello from the cluster")


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    sshd, port = shutil.which("sshd") or "/usr/sbin/sshd", free_port()
    if not Path(sshd).exists():
        pytest.skip("needs sshd: `apt-get install openssh-server`")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    settings = (
        f"Port={port}",
        "ListenAddress=127.0.0.1",
        f"HostKey={tmp_path}/host",
        f"AuthorizedKeysFile={tmp_path}/authorized",
        f"PidFile={tmp_path}/pid",
        "StrictModes=no",
        "UsePAM=no",
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # Where sshd goes before it knows who comes.
    command = [sshd, "-D", "-e", "-f", "/dev/null", *(f"-o{setting}" for setting in settings)]
    with (tmp_path / "sshd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    config = tmp_path / "config"
    config.write_text(
        f"Host {CLUSTER}\n  HostName 127.0.0.1\n  Port {port}\n  User {pwd.getpwuid(os.getuid()).pw_name}\n"
        f"  IdentityFile {tmp_path}/user\n  IdentitiesOnly yes\n"
        "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    )
    with serving(_Hello) as url:
        wait_until(lambda: _listens(port), seconds=30)
        yield Head(config=config, endpoint=int(url.rpartition(":")[2]), sshd=process)
    process.terminate()
    process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30) as answer:
        return str(answer.read().decode())


def test_the_endpoint_of_a_cluster_answers_here(head: Head) -> None:
    port = free_port()
    with tunnel(CLUSTER, port=port, to=head.endpoint, config=head.config):
        assert _get(port) == "hello from the cluster"
    assert not _listens(port)


def _typed(head: Head, port: int) -> list[str]:
    options = [f"--port={port}", f"--to={head.endpoint}", f"--ssh-config={head.config}"]
    return [sys.executable, "-m", "clusterlab.cli", "tunnel", CLUSTER, *options]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_it_ends_with_who_opened_it_and_leaves_nothing(head: Head, how: signal.Signals, code: int) -> None:
    port, mark = free_port(), uuid.uuid4().hex
    with (
        no_process_left(mark) as environment,
        subprocess.Popen(_typed(head, port), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert (
            process.stdout.readline() == f"http://127.0.0.1:{port} is port {head.endpoint} of {CLUSTER}, until Ctrl-C\n"
        )
        assert _get(port) == "hello from the cluster"
        process.send_signal(how)
        assert process.wait() == code
        wait_until(lambda: not marked(mark))
        assert not _listens(port)


def test_a_tunnel_that_breaks_says_so(head: Head) -> None:
    with tunnel(CLUSTER, port=free_port(), to=head.endpoint, config=head.config) as stands:
        for line in subprocess.run(["pgrep", "-P", str(head.sshd.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(line), signal.SIGKILL)
        with pytest.raises(UnreachableError, match=r"^llm-2026: the tunnel ended: "):
            stands.follow()


def test_a_cluster_that_ssh_does_not_know_is_one_clear_error(head: Head) -> None:
    with (
        pytest.raises(
            InputError, match=r"^CLUSTER: 'llm-2025' is not known to ssh; allowed: a cluster of `sky status`"
        ),
        tunnel("llm-2025", port=free_port(), to=head.endpoint, config=head.config),
    ):
        pytest.fail("it leads somewhere")


def test_a_name_is_never_an_option_of_ssh() -> None:
    with (
        pytest.raises(InputError, match=r"^CLUSTER: '-oProxyCommand=x'; allowed"),
        tunnel("-oProxyCommand=x", port=free_port(), to=1),
    ):
        pytest.fail("it leads somewhere")


def test_a_port_that_is_taken_is_one_clear_error(head: Head) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(InputError, match=r"^--port: \d+ cannot be had here: Address already in use; allowed: "),
        tunnel(CLUSTER, port=other.getsockname()[1], to=head.endpoint, config=head.config),
    ):
        pytest.fail("it leads somewhere")


def test_who_is_not_let_in_is_told_what_ssh_said(head: Head, tmp_path: Path) -> None:
    (tmp_path / "authorized").write_text("")
    with (
        pytest.raises(UnreachableError, match=r"^llm-2026: no tunnel: .*Permission denied"),
        tunnel(CLUSTER, port=free_port(), to=head.endpoint, config=head.config),
    ):
        pytest.fail("it leads somewhere")
