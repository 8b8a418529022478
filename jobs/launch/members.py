"""A Ray over all nodes of a task: rank 0 has its head, the others join it, and all end together."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterlab.errors import UnreachableError
from jobs.launch.embedded import Embedded, embedded_ray, joined_ray
from jobs.launch.gate import Gate, Visit, visit
from jobs.launch.nodes import Nodes

POLL_SECONDS = 0.5
MAX_LETTERS = 2000
"""Of Ray's log, in the message of a node that had to leave."""


@contextmanager
def ray_of_nodes(
    nodes: Nodes, *, root: Path, log: Path, seconds: float, dashboard_port: int | None = None
) -> Iterator[tuple[Embedded, Gate]]:
    """At rank 0: start the head, and wait until every node has joined; at the end they all end.

    Raises:
        UnreachableError: the head did not start, or a node did not join within `seconds`.
    """
    options = {"root": root, "log": log, "token": nodes.token, "dashboard_port": dashboard_port}
    with embedded_ray(host=nodes.address, **options) as head, Gate(nodes, head.nodes_address) as gate:  # type: ignore[arg-type]
        gate.wait(lambda: _num_alive(head), seconds)
        yield head, gate


def join(nodes: Nodes, *, root: Path, seconds: float) -> None:
    """At another rank: be a node of rank 0's Ray until that ends.

    Raises:
        UnreachableError: rank 0 did not answer within `seconds`, went without a word, or Ray ended here before.
        ClusterlabError: rank 0 ended with an error; carries its exit code.
    """
    with visit(nodes, seconds) as rank_0:
        try:
            _stay(nodes, rank_0, root)
        except KeyboardInterrupt:
            rank_0.complain("it was interrupted")
            raise


def _stay(nodes: Nodes, rank_0: Visit, root: Path) -> None:
    with joined_ray(rank_0.ray_address, root=root, host=nodes.address, token=nodes.token) as ray:
        while not rank_0.ended(POLL_SECONDS):
            if ray.keeper.poll() is not None:
                said = ray.log.read_text(errors="replace")[-MAX_LETTERS:] if ray.log.exists() else "nothing"
                rank_0.complain("its Ray ended")
                raise UnreachableError(f"{nodes.name(nodes.rank)}: its Ray ended before rank 0 did; it said:\n{said}")


def _num_alive(head: Embedded) -> int:
    """How many nodes Ray says are alive."""
    url = f"{head.address}/api/v0/nodes?limit=10000"
    request = urllib.request.Request(url, headers=head.headers)  # noqa: S310 (our own address)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (our own address)
            rows = json.load(response)["data"]["result"]["result"]
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, LookupError, TypeError):
        return 0  # It has only begun; whoever waits asks again.
    return sum(row["state"] == "ALIVE" for row in rows)
