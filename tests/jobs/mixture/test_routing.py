from __future__ import annotations

import pytest

from jobs.mixture.routing import Routing


def test_even_loads_that_know_nothing_of_the_kind() -> None:
    metrics = Routing(counts=[[[10, 10], [30, 30]]]).metrics()
    assert metrics == {
        "load_variation": 0,
        "load_most": 1,
        "load_most_in_a_layer": 1,
        "idle_experts": 0,
        "kind_bits": pytest.approx(0),
    }


def test_an_expert_for_each_kind_tells_a_bit_of_two_kinds() -> None:
    routing = Routing(counts=[[[5, 5], [5, 5]], [[10, 0], [0, 10]]])
    assert routing.metrics()["kind_bits"] == pytest.approx(1)
    assert routing.layer_of_kinds() == 1
    assert routing.by_kind()[1].tolist() == [[1, 0], [0, 1]]


def test_one_expert_of_four_does_it_all_in_one_of_two_layers() -> None:
    routing = Routing(counts=[[[1, 1, 1, 1]], [[4, 0, 0, 0]]])
    metrics = routing.metrics()
    assert routing.loads().tolist() == [[0.25] * 4, [1, 0, 0, 0]]
    assert metrics["load_most_in_a_layer"] == 4
    assert metrics["load_most"] == 2.5
    assert metrics["load_variation"] == pytest.approx(3**0.5 / 2)
    assert metrics["idle_experts"] == 3 / 8
