"""Ports of the loopback for servers that the tests start."""

from __future__ import annotations

import socket
from contextlib import ExitStack

SERVER, QUEUE = 46580, 50011
"""SkyPilot 0.14.1's own ports; the queue's moves with the server's, and stays between 50000 and 59999."""


def free_port() -> int:
    """One that nobody has now."""
    with ExitStack() as taken:
        return _taken(taken, 0)


def skypilot_port() -> int:
    """One for SkyPilot's API server, whose queue's port is free too: others' connections may have any of them."""
    while True:
        with ExitStack() as taken:
            port = _taken(taken, 0)
            try:
                _taken(taken, 50000 + (QUEUE - 50000 + port - SERVER) % 10000)
            except OSError:
                continue
            return port


def _taken(until: ExitStack, port: int) -> int:
    listener = until.enter_context(socket.socket())
    listener.bind(("127.0.0.1", port))
    return int(listener.getsockname()[1])
