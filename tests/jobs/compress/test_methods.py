from __future__ import annotations

import importlib.util

import pytest

from jobs.compress.methods import METHODS, UNQUANTIZED, Method, chosen
from jobs.launch.environments import lock_of

SHAPES = {"layers.0.up": (96, 64), "layers.0.down": (64, 96)}


def _method(**values: object) -> Method:
    return Method(name="one_4", family="one", bits=4, module="none", **values)  # type: ignore[arg-type]


def test_the_unquantized_model_is_measured_first_whatever_is_chosen() -> None:
    assert [method.name for method in chosen("nf4, llm_int8")] == [UNQUANTIZED, "nf4", "llm_int8"]
    assert [method.name for method in chosen("all")] == list(METHODS)
    assert set(METHODS) - {method.name for method in chosen("gpu")} == {"gguf_q8_0", "gguf_q4_k_m", "gguf_q2_k"}


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"METHODS=gptq_5: unknown; allowed: all, gpu, or of unquantized, .*gguf_q2_k"):
        chosen("nf4,gptq_5")
    with pytest.raises(ValueError, match="each may be there once"):
        chosen("nf4,nf4")


def test_a_group_that_does_not_divide_a_layers_inputs_is_refused_by_the_layers_name() -> None:
    assert _method(grouped=True).problems(SHAPES, 64) == [
        "layers.0.down: 96 input features; allowed: a GROUP_SIZE that divides them"
    ]
    assert _method(grouped=True).problems(SHAPES, 32) == []
    assert _method(grouped=False).problems(SHAPES, 64) == []


def test_a_multiple_that_a_method_needs_is_named_with_the_layer() -> None:
    found = _method(input_multiple=64, output_multiple=96).problems(SHAPES, 1)
    assert found == [
        "layers.0.down: 96 input features; one_4 takes multiples of 64",
        "layers.0.down: 64 output features; one_4 takes multiples of 96",
    ]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_has_its_module_and_a_lock_of_its_environment(method: Method) -> None:
    assert importlib.util.find_spec(method.module) is not None
    assert lock_of(method.environment).exists()
