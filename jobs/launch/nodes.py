"""The nodes that SkyPilot runs a lab on at the same time: which one this is, and what they all know."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from clusterlab.errors import InputError, Problem
from clusterlab.ray_address import TOKEN_VARIABLE, given_token
from jobs.launch.folder import TASK_VARIABLE

RANK_VARIABLE, ADDRESSES_VARIABLE = "SKYPILOT_NODE_RANK", "SKYPILOT_NODE_IPS"
NUM_VARIABLE = "SKYPILOT_NUM_NODES"
DASHBOARD_PORT = 31265
"""Of the shared Ray, on the loopback of its head: what an SSH tunnel leads to."""
GATE_PORTS = range(31300, 32300)
"""Where nodes meet. Elsewhere lie Ray's defaults (6379, 8265, 10001 to 19999), SkyPilot's (6380, 8266, from 46580 on),
those of an embedded Ray (20000 to 29999), and what systems give to whoever asks for any port (from 32768 on)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nodes:
    """One node among those of a task."""

    rank: int
    addresses: tuple[str, ...]
    """By rank."""
    token: str
    gate_port: int
    """At rank 0. It follows from the task, so that two tasks on the same nodes do not meet."""

    @property
    def address(self) -> str:
        """Of this node."""
        return self.addresses[self.rank]

    def name(self, rank: int) -> str:
        """How a message calls a node."""
        return f"rank {rank} ({self.addresses[rank]})"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Nodes | None:
        """Read what SkyPilot says; None where it runs one node only, or there is no SkyPilot.

        Raises:
            InputError: the variables contradict each other, or there is nothing to make a token of.
        """
        num_nodes = _number(environment, NUM_VARIABLE, default=1)
        if num_nodes <= 1:
            return None
        addresses = _addresses(environment, num_nodes)
        rank = _number(environment, RANK_VARIABLE, default=-1)
        if rank not in range(num_nodes):
            raise InputError(Problem(path=RANK_VARIABLE, message=f"{rank}; allowed: 0 to {num_nodes - 1}"))
        task, given = environment.get(TASK_VARIABLE), given_token(environment)
        if not task and not given:
            message = f"missing; nodes share a secret that is made of it, or that {TOKEN_VARIABLE} gives"
            raise InputError(Problem(path=TASK_VARIABLE, message=message))
        digest = hashlib.sha256("\n".join([task or "", *addresses]).encode())
        port = GATE_PORTS[int.from_bytes(digest.digest()[:8]) % len(GATE_PORTS)]
        # Made of what is no secret, it keeps accidents out. Attackers are kept out by the security group, which on AWS
        # admits the machines of the same SkyPilot user: who shares that gives a token.
        return cls(rank=rank, addresses=addresses, token=given or digest.hexdigest(), gate_port=port)


def _addresses(environment: Mapping[str, str], num_nodes: int) -> tuple[str, ...]:
    addresses = tuple(environment.get(ADDRESSES_VARIABLE, "").split())
    if len(addresses) != num_nodes or not all(map(_is_address, addresses)):
        message = f"{' '.join(addresses)!r}; allowed: {num_nodes} addresses, one a line, as {NUM_VARIABLE} says"
        raise InputError(Problem(path=ADDRESSES_VARIABLE, message=message))
    loopback = [address for address in addresses if ipaddress.IPv4Address(address).is_loopback]
    if (loopback and len(loopback) < num_nodes) or "127.0.0.1" in loopback:
        # Slurm's nodes look their names up, and Debian's installer gives a machine's own name to its loopback.
        message = f"{loopback[0]}: no other node reaches it; allowed: outer addresses, to which /etc/hosts leads names"
        raise InputError(Problem(path=ADDRESSES_VARIABLE, message=message))
    return addresses


def _number(environment: Mapping[str, str], name: str, *, default: int) -> int:
    text = environment.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise InputError(Problem(path=name, message=f"{text!r}; allowed: a whole number")) from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
