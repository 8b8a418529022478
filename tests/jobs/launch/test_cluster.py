from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from clusterlab.errors import InputError, UnreachableError
from jobs.launch.cluster import Cluster
from jobs.launch.embedded import Embedded


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def test_a_silent_address_is_given_up_after_the_time_limit(silent: str) -> None:
    with pytest.raises(UnreachableError, match=f"RAY_ADDRESS: {silent}: did not answer within 1 s"):
        Cluster.connect(silent, seconds=1)


def test_a_closed_port_is_unreachable(closed: str) -> None:
    with pytest.raises(UnreachableError, match=f"RAY_ADDRESS: http://{closed}: did not answer within 1 s .*refused"):
        Cluster.connect(closed, seconds=1)


@pytest.mark.parametrize("address", ["auto", "ray://head:10001", "head", "http://head", "http://head:port"])
def test_another_form_of_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"RAY_ADDRESS: .*allowed: http://host:port"):
        Cluster.connect(address, seconds=1)


def test_a_cluster_that_refuses_our_token_is_named(head: Embedded) -> None:
    with pytest.raises(InputError, match="refuses us; RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"):
        Cluster.connect(head.address, seconds=20, headers={"Authorization": "Bearer wrong"})
