from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clusterlab.errors import ClusterlabError, UnreachableError
from jobs.launch.gate import Gate, LostNodeError, Visit, visit
from jobs.launch.nodes import Nodes
from tests.ports import free_port


@pytest.fixture
def nodes() -> Nodes:
    """Rank 0 of two."""
    return Nodes(rank=0, addresses=("127.0.0.1", "127.0.0.2"), token="secret " * 4, gate_port=free_port())


@pytest.fixture
def second(nodes: Nodes) -> Nodes:
    return dataclasses.replace(nodes, rank=1)


@pytest.fixture
def ends(nodes: Nodes, second: Nodes) -> Iterator[tuple[ExitStack, Gate, ExitStack, Visit]]:
    """Both ends of a connection, each with what ends it."""
    with ExitStack() as at_0, ExitStack() as at_1:
        gate = at_0.enter_context(Gate(nodes, "127.0.0.1:1234"))
        visitor = at_1.enter_context(visit(second, 20))
        gate.wait(lambda: 2, 20)
        yield at_0, gate, at_1, visitor


def test_who_comes_learns_where_ray_is_and_how_it_ended(ends: tuple[ExitStack, Gate, ExitStack, Visit]) -> None:
    at_0, gate, _, visitor = ends
    assert visitor.ray_address == "127.0.0.1:1234"
    assert not visitor.ended(0.01)
    gate.check()
    at_0.close()
    assert visitor.ended(20)


def test_a_bad_end_is_told_with_its_exit_code(nodes: Nodes, second: Nodes) -> None:
    error = ClusterlabError("no luck")
    error.exit_code = 3
    with ExitStack() as at_1:
        gate = Gate(nodes, "").__enter__()
        visitor = at_1.enter_context(visit(second, 20))
        gate.__exit__(ClusterlabError, error, None)
        with pytest.raises(ClusterlabError, match=r"rank 0 \(127.0.0.1\): ended with exit code 3") as told:
            visitor.ended(20)
    assert told.value.exit_code == 3


def test_rank_0_learns_who_left_and_why(ends: tuple[ExitStack, Gate, ExitStack, Visit]) -> None:
    _, gate, at_1, visitor = ends
    visitor.complain("its Ray ended")
    at_1.close()
    with pytest.raises(LostNodeError, match=r"rank 1 \(127.0.0.2\): left before the end: its Ray ended"):
        gate.wait(lambda: 1, 20)


def test_who_never_comes_is_named(nodes: Nodes) -> None:
    with Gate(nodes, "") as gate, pytest.raises(UnreachableError) as error:
        gate.wait(lambda: 1, 0.1)
    assert str(error.value) == "Ray of 2 nodes: rank 1 (127.0.0.2) did not join within 0.1 s"


def test_a_node_whose_ray_does_not_come_is_waited_for_no_longer(
    ends: tuple[ExitStack, Gate, ExitStack, Visit],
) -> None:
    with pytest.raises(UnreachableError, match=r"the Ray of a node that is here did not join within 0.1 s"):
        ends[1].wait(lambda: 1, 0.1)


@pytest.mark.parametrize("change", [{"token": "another secret"}, {"rank": 0}])
def test_a_stranger_is_not_let_in(nodes: Nodes, second: Nodes, change: dict[str, object]) -> None:
    stranger = dataclasses.replace(second, **change)  # type: ignore[arg-type]
    with Gate(nodes, "") as gate:
        with pytest.raises(UnreachableError, match="it refuses us: another token"), visit(stranger, 0.5):
            pass
        gate.check()


def test_a_stranger_that_says_nothing_is_in_nobodys_way(nodes: Nodes, second: Nodes) -> None:
    with Gate(nodes, "") as gate, socket.create_connection(("127.0.0.1", nodes.gate_port)), visit(second, 20):
        gate.wait(lambda: 2, 20)


def test_nobody_takes_the_place_of_a_node(nodes: Nodes, second: Nodes) -> None:
    with Gate(nodes, ""), visit(second, 20):
        again = visit(second, 0.5)
        with pytest.raises(UnreachableError, match="this rank is there already"):
            again.__enter__()


def test_rank_0_may_come_later(nodes: Nodes, second: Nodes) -> None:
    addresses = []

    def come() -> None:
        with visit(second, 20) as visitor:
            addresses.append(visitor.ray_address)

    early = threading.Thread(target=come)
    early.start()
    with Gate(nodes, "here"):
        early.join()
    assert addresses == ["here"]


def test_rank_0_that_never_comes_is_named(second: Nodes) -> None:
    with pytest.raises(UnreachableError) as error, visit(second, 0.1):
        pass
    assert str(error.value).startswith(
        f"rank 0 (127.0.0.1): did not answer at 127.0.0.1:{second.gate_port} within 0.1 s (Connection refused"
    )


def test_a_port_in_use_is_named(nodes: Nodes) -> None:
    with socket.create_server(("127.0.0.1", nodes.gate_port)), pytest.raises(UnreachableError) as error:
        Gate(nodes, "")
    assert f"127.0.0.1:{nodes.gate_port}: cannot be listened on: Address already in use" in str(error.value)
