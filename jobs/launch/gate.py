"""Where the nodes of a task meet: each holds a connection to rank 0, and so knows at once how and when it ends.

Ray's own nodes notice a lost head only after a minute, and cannot tell a good end from a bad one. The system closes a
connection when the process behind it dies, however it dies. Both sides write lines of JSON.
"""

from __future__ import annotations

import hmac
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError, UnreachableError
from jobs.launch.nodes import Nodes

HELLO_SECONDS = 10
MAX_LETTERS = 4096
POLL_SECONDS = 0.2
KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A machine that lost its power says no goodbye: it is given up after half a minute."""


class LostNodeError(UnreachableError):
    """A node that left before the end."""


class Gate:
    """At rank 0."""

    def __init__(self, nodes: Nodes, ray_address: str) -> None:
        """Listen at this node's address.

        Raises:
            UnreachableError: the port is in use.
        """
        self.nodes = nodes
        self._ray_address = ray_address
        self._present: dict[int, socket.socket] = {}
        self._lost: dict[int, str] = {}
        self._changed = threading.Lock()
        try:
            self._server = _Server((nodes.address, nodes.gate_port), self)
        except OSError as error:
            message = f"cannot be listened on: {error.strerror}; another program of this node uses it"
            raise UnreachableError(f"Ray of {len(nodes.addresses)} nodes: {_at(nodes)}: {message}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Tell every node how this one ended."""
        failure = EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else ClusterlabError.exit_code
        code = 0 if error is None else getattr(error, "exit_code", failure)
        with self._changed:
            present, self._present = self._present, {}
        for connection in present.values():
            with suppress(OSError):
                connection.sendall(_line(end=code))
                connection.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()

    def check(self) -> None:
        """Raise LostNodeError where a node has left."""
        with self._changed:
            for rank, why in self._lost.items():
                raise LostNodeError(f"{self.nodes.name(rank)}: left before the end{why}")

    def wait(self, num_alive: Callable[[], int], seconds: float) -> None:
        """Wait until every node is here, and Ray counts them all as alive.

        Raises:
            UnreachableError: one is not within `seconds`.
            LostNodeError: one came and left.
        """
        deadline = time.monotonic() + seconds
        num_nodes = len(self.nodes.addresses)
        while self._missing() or num_alive() < num_nodes:
            self.check()
            if time.monotonic() > deadline:
                missing = self._missing()
                who = ", ".join(self.nodes.name(rank) for rank in missing) or "the Ray of a node that is here"
                raise UnreachableError(f"Ray of {num_nodes} nodes: {who} did not join within {seconds:g} s")
            time.sleep(POLL_SECONDS)

    def serve(self, connection: socket.socket, file: Any) -> None:
        """Hold a connection until it ends; whoever does not know the token gets no answer."""
        rank = self._greeted(file.readline(MAX_LETTERS))
        if rank is None:
            return
        with self._changed:
            if rank in self._present:
                return
            self._present[rank] = connection
            self._lost.pop(rank, None)
        _keep_alive(connection)
        why = ""
        with suppress(OSError):
            connection.sendall(_line(ray=self._ray_address))
            connection.settimeout(None)
            why = str(_values(file.readline(MAX_LETTERS)).get("error") or "")
        with self._changed:
            if self._present.pop(rank, None) is not None:
                self._lost[rank] = f": {why}" if why else ""

    def _missing(self) -> list[int]:
        with self._changed:
            return [rank for rank in range(1, len(self.nodes.addresses)) if rank not in self._present]

    def _greeted(self, line: bytes) -> int | None:
        values = _values(line)
        rank = values.get("rank")
        known = hmac.compare_digest(str(values.get("token")).encode(), self.nodes.token.encode())
        return rank if known and isinstance(rank, int) and 0 < rank < len(self.nodes.addresses) else None


class Visit:
    """At another rank: the connection to rank 0."""

    def __init__(self, nodes: Nodes, connection: socket.socket, ray_address: str) -> None:
        self._nodes = nodes
        self._connection = connection
        self._lines = _Lines(connection)
        self.ray_address = ray_address

    def ended(self, seconds: float) -> bool:
        """Wait so long at most; True where rank 0 has ended well.

        Raises:
            ClusterlabError: it ended with an error, and with its exit code.
            LostNodeError: it went without a word.
        """
        self._connection.settimeout(seconds)
        try:
            line = self._lines.read()
        except TimeoutError:
            return False
        except OSError:
            line = b""
        code = _values(line).get("end")
        rank_0 = self._nodes.name(0)
        if not isinstance(code, int):
            raise LostNodeError(f"{rank_0}: went without a word: it was killed, or its machine is lost")
        if code:
            error = ClusterlabError(f"{rank_0}: ended with exit code {code}; its output says why")
            error.exit_code = code
            raise error
        return True

    def complain(self, why: str) -> None:
        """Tell rank 0 why this node leaves."""
        with suppress(OSError):
            self._connection.sendall(_line(error=why))


@contextmanager
def visit(nodes: Nodes, seconds: float) -> Iterator[Visit]:
    """Connect to rank 0, again and again while it starts.

    Raises:
        UnreachableError: it did not answer within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = socket.create_connection((nodes.addresses[0], nodes.gate_port), timeout=HELLO_SECONDS)
        except OSError as error:
            reason = error.strerror or "no answer"
        else:
            with connection:
                address = _admitted(nodes, connection)
                if address is not None:
                    yield Visit(nodes, connection, address)
                    return
            reason = "it refuses us: another token, or this rank is there already"
        if time.monotonic() > deadline:
            message = f"did not answer at {_at(nodes)} within {seconds:g} s ({reason})"
            raise UnreachableError(f"{nodes.name(0)}: {message}")
        time.sleep(POLL_SECONDS)


def _admitted(nodes: Nodes, connection: socket.socket) -> str | None:
    """Say who we are; returns the address of Ray, None where there is no answer."""
    with suppress(OSError):
        connection.sendall(_line(rank=nodes.rank, token=nodes.token))
        address = _values(_Lines(connection).read()).get("ray")
        _keep_alive(connection)
        return address if isinstance(address, str) else None
    return None


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], gate: Gate) -> None:
        self.gate = gate
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    timeout = HELLO_SECONDS

    def handle(self) -> None:
        if isinstance(self.server, _Server):
            with suppress(OSError):
                self.server.gate.serve(self.connection, self.rfile)


class _Lines:
    """Lines from a connection with a time limit, which may come in the middle of one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._begun = b""

    def read(self) -> bytes:
        """The next line; less where the other side has ended."""
        while not self._begun.endswith(b"\n") and len(self._begun) < MAX_LETTERS:
            letter = self._connection.recv(1)
            if not letter:
                break
            self._begun += letter
        line, self._begun = self._begun, b""
        return line


def _at(nodes: Nodes) -> str:
    return f"{nodes.addresses[0]}:{nodes.gate_port}"


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
