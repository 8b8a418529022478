"""A process group of Ray actors, spread evenly over all nodes; they find each other through Ray."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from clusterlab.errors import InputError, Problem

TIMEOUT = timedelta(seconds=300)
"""How long a collective waits for a worker that does not come."""

POLL_SECONDS = 2.0
"""How often the cluster's nodes are looked at while workers start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Workers that can talk to each other by `torch.distributed`."""

    num_nodes: int
    workers: list[Any]
    """Actors, by rank."""

    @property
    def world_size(self) -> int:
        """How many workers."""
        return len(self.workers)

    def call(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a function in every worker at the same time; returns what each returned, by rank."""
        import ray

        return list(ray.get(self.begin(function, *arguments)))

    def begin(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a function in every worker; returns Ray's references to what each will return, by rank."""
        return [worker.call.remote(function, *arguments) for worker in self.workers]


@contextmanager
def process_group(
    *, use_gpu: bool, min_workers: int, fewer: bool = False, check: Callable[[int], None] = lambda _: None
) -> Iterator[Group]:
    """Start a worker for each GPU of the cluster, or one a node, more where that makes fewer than `min_workers`.

    With `fewer`, as many as there is room for will do. It waits while others use the cluster, and plans anew when a
    node comes or goes meanwhile. `check` is called with the number of workers first, and may raise.

    Raises:
        InputError: the cluster has too few GPUs or CPUs.
    """
    import ray
    from ray.util import placement_group, remove_placement_group

    ray.init(ignore_reinit_error=True)
    while True:
        nodes = _nodes()
        num_nodes, each = _per_node(list(nodes.values()), use_gpu, min_workers, fewer=fewer)
        check(num_nodes * each)
        bundle = {"CPU": each} | ({"GPU": each} if use_gpu else {})
        places = placement_group([bundle] * num_nodes, strategy="STRICT_SPREAD" if num_nodes > 1 else "PACK")
        try:
            workers = _start(places, num_nodes, each, use_gpu, frozenset(nodes))
            if workers is not None:
                yield Group(num_nodes=num_nodes, workers=workers)
                return
        finally:
            remove_placement_group(places)  # And with it the workers.


def interface_of(address: str) -> str:
    """The network interface that an address of this machine belongs to.

    Raises:
        InputError: there is none.
    """
    import psutil

    for name, rows in psutil.net_if_addrs().items():
        for row in rows:
            if row.family == socket.AF_INET and row.netmask:
                network = ipaddress.ip_interface(f"{row.address}/{row.netmask}").network
                # The loopback answers to every address of its network.
                if row.address == address or (network.is_loopback and ipaddress.ip_address(address) in network):
                    return str(name)
    raise InputError(Problem(path="network", message=f"no interface of this machine has the address {address}"))


def is_lost_peer(error: BaseException) -> bool:
    """Whether a collective failed because another worker went; gloo says so by words only."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _start(places: Any, num_nodes: int, each: int, use_gpu: bool, nodes: frozenset[str]) -> list[Any] | None:
    """The workers by rank, in one process group; None where the cluster has other nodes before they are there."""
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    worker = ray.remote(num_cpus=1, num_gpus=int(use_gpu))(_Worker)
    strategies = [PlacementGroupSchedulingStrategy(places, rank // each) for rank in range(num_nodes * each)]
    workers = [worker.options(scheduling_strategy=strategy).remote() for strategy in strategies]
    where = [worker.node.remote() for worker in workers]
    pending = where
    while pending:
        _, pending = ray.wait(pending, num_returns=len(pending), timeout=POLL_SECONDS)
        # A node that was just lost counts as alive for a while, and nothing placed on it would ever start.
        if pending and frozenset(_nodes()) != nodes:
            return None
    workers = _from_here_on(workers, ray.get(where))
    address = ray.get(workers[0].listen.remote())
    ray.get([each.join.remote(address, rank, len(workers), use_gpu) for rank, each in enumerate(workers)])
    return workers


def _nodes() -> dict[str, dict[str, float]]:
    """What each node has that Ray holds for alive, by its id."""
    import ray

    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}


def _from_here_on(workers: list[Any], nodes: list[str]) -> list[Any]:
    """The workers node by node, those of this node first: rank 0 then writes into the run's own folder."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    pairs = sorted(zip(nodes, workers, strict=True), key=lambda pair: (pair[0] != here, pair[0]))
    return [worker for _, worker in pairs]


def _per_node(
    resources: list[dict[str, float]], use_gpu: bool, min_workers: int, *, fewer: bool = False
) -> tuple[int, int]:
    """How many nodes, and workers on each."""
    kind = "GPU" if use_gpu else "CPU"
    counts = [int(each.get(kind, 0)) for each in resources]
    if fewer:
        min_workers = max(1, min(min_workers, min(counts) * len(counts)))
    # The same on every node, so the poorest one decides.
    each = min(counts) if use_gpu else max(1, -(-min_workers // len(counts)))
    if each * len(counts) < min_workers or each > min(counts):
        message = f"the nodes have {' + '.join(map(str, counts))} {kind}s, of which each must give the same number"
        raise InputError(Problem(path=f"MIN_WORKERS={min_workers}", message=message))
    return len(counts), each


def _into_own_session() -> None:
    """Leave Ray's session, as torchrun's workers have one each.

    Linux schedules the processes of a session as one group (sched_autogroup), and ranks of one group wake each other
    late: a small all-reduce of two on two cores takes about 1.4 times as long. Where it may not, the worker stays.
    """
    with suppress(OSError):
        os.setpgid(0, os.getpgid(os.getppid()))  # The leader of a process group cannot leave its session.
        os.setsid()


class _Worker:
    """One rank."""

    def node(self) -> str:
        """Ray's id of the node that this is on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def listen(self) -> tuple[str, int]:
        """At rank 0: open the port where the ranks meet, at the address of the node that Ray uses."""
        from ray.util import get_node_ip_address

        self._socket = socket.create_server((get_node_ip_address(), 0))
        host, port = self._socket.getsockname()
        return host, port

    def join(self, address: tuple[str, int], rank: int, world_size: int, use_gpu: bool) -> None:
        import torch
        import torch.distributed as dist
        from ray.util import get_node_ip_address

        # Else gloo takes the address of the host's name, and NCCL the first interface: neither need lead to a node.
        interface = interface_of(get_node_ip_address())
        _into_own_session()
        os.environ |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": f"={interface}"}
        torch.set_num_threads(1)
        # torch takes the port over, so that it is bound to that one address.
        listening = {"master_listen_fd": self._socket.detach()} if rank == 0 else {}
        store = dist.TCPStore(*address, world_size, is_master=rank == 0, timeout=TIMEOUT, **listening)
        backend = "nccl" if use_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=TIMEOUT)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)
