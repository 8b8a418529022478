"""Two nodes on this machine: network namespaces of their own where we may make them, else addresses of the loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class TwoNodes:
    """Where to run commands as SkyPilot runs a task on two nodes."""

    addresses: tuple[str, str]
    prefixes: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    """What comes before a command, by rank."""

    def variables(self, rank: int, task: str) -> dict[str, str]:
        """What SkyPilot sets."""
        return {
            "SKYPILOT_NUM_NODES": "2",
            "SKYPILOT_NODE_RANK": str(rank),
            "SKYPILOT_NODE_IPS": "\n".join(self.addresses),
            "SKYPILOT_TASK_ID": task,
        }


LOOPBACK = TwoNodes(addresses=("127.0.0.2", "127.0.0.3"))


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """The best that this machine allows."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        yield LOOPBACK
        return
    names = tuple(f"clusterlab-{os.getpid()}-{rank}" for rank in range(2))
    addresses = ("10.213.7.1", "10.213.7.2")
    with ExitStack() as stack:
        try:
            for name in names:
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "del", name)
            _join(names, addresses)
        except subprocess.CalledProcessError:
            stack.close()
            yield LOOPBACK
            return
        yield TwoNodes(addresses=addresses, prefixes=tuple(["ip", "netns", "exec", name] for name in names))  # type: ignore[arg-type]


def _join(names: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    _ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
    for name, address in zip(names, addresses, strict=True):
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")


def _ip(*arguments: str) -> None:
    # It complains of namespaces that others are just removing.
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
