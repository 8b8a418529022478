from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.ray_address import given_token
from jobs.launch.nodes import DASHBOARD_PORT, GATE_PORTS, Nodes

TWO = {
    "SKYPILOT_NUM_NODES": "2",
    "SKYPILOT_NODE_RANK": "1",
    "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2\n",
    "SKYPILOT_TASK_ID": "sky-2026-11-25_llm-2026_1",
}
TOKEN = "0123456789abcdef"


def _nodes(**changes: str) -> Nodes:
    nodes = Nodes.of(TWO | changes)
    assert nodes is not None
    return nodes


@pytest.mark.parametrize("environment", [{}, {"SKYPILOT_NUM_NODES": "1", "SKYPILOT_NODE_IPS": "10.0.0.1"}])
def test_one_node_is_no_group(environment: dict[str, str]) -> None:
    assert Nodes.of(environment) is None


def test_all_nodes_of_a_task_agree_without_talking() -> None:
    first, second = _nodes(SKYPILOT_NODE_RANK="0"), _nodes()
    assert (first.token, first.gate_port) == (second.token, second.gate_port)
    assert (first.address, second.address) == ("10.0.0.1", "10.0.0.2")


def test_two_tasks_on_the_same_nodes_do_not_meet() -> None:
    others = [_nodes(SKYPILOT_TASK_ID=f"sky-2026-11-25_llm-2026_{number}") for number in range(2, 6)]
    assert _nodes().token not in [other.token for other in others]
    assert len({other.gate_port for other in others}) > 1


def test_a_token_that_is_given_is_the_token() -> None:
    assert _nodes(RAY_AUTH_TOKEN=TOKEN).token == TOKEN


def test_a_token_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert given_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}) == TOKEN


def test_our_ports_are_nobody_elses() -> None:
    taken = {6379, 6380, 8265, 8266, 10001, *range(10002, 20000), *range(20000, 30000), *range(32768, 65536)}
    assert taken.isdisjoint({DASHBOARD_PORT, *GATE_PORTS})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"SKYPILOT_NUM_NODES": "two"}, "SKYPILOT_NUM_NODES: 'two'; allowed: a whole number"),
        ({"SKYPILOT_NUM_NODES": "3"}, "SKYPILOT_NODE_IPS: '10.0.0.1 10.0.0.2'; allowed: 3 addresses, one a line"),
        ({"SKYPILOT_NODE_IPS": "head worker"}, "SKYPILOT_NODE_IPS: 'head worker'; allowed: 2 addresses"),
        ({"SKYPILOT_NODE_IPS": "127.0.1.1 10.0.0.2"}, "SKYPILOT_NODE_IPS: 127.0.1.1: no other node reaches it"),
        ({"SKYPILOT_NODE_IPS": "127.0.0.1 127.0.0.2"}, "SKYPILOT_NODE_IPS: 127.0.0.1: no other node reaches it"),
        ({"SKYPILOT_NODE_RANK": "2"}, "SKYPILOT_NODE_RANK: 2; allowed: 0 to 1"),
        ({"SKYPILOT_NODE_RANK": ""}, "SKYPILOT_NODE_RANK: -1; allowed: 0 to 1"),
        ({"SKYPILOT_TASK_ID": ""}, "SKYPILOT_TASK_ID: missing; nodes share a secret"),
        ({"RAY_AUTH_TOKEN": "short"}, "RAY_AUTH_TOKEN: allowed: 16 or more letters and digits"),
        ({"RAY_AUTH_TOKEN": "two words, and more of them"}, "RAY_AUTH_TOKEN: allowed: 16 or more"),
        ({"RAY_AUTH_TOKEN_PATH": "/none"}, "RAY_AUTH_TOKEN_PATH: /none: cannot be read: No such file"),
    ],
)
def test_what_contradicts_itself_is_named(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        Nodes.of(TWO | wrong)
    assert str(error.value).startswith(message)
