from __future__ import annotations

import pytest

from clusterlab.errors import InputError
from clusterlab.fit.shapes import SHAPES, shape_of

PUBLISHED = {
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "tinyllama-1.1b": 1_100_048_384,
    "smollm2-135m": 134_515_008,
    "tiny": 803_968,
    "micro": 82_240,
}


@pytest.mark.parametrize(("name", "num_parameters"), PUBLISHED.items())
def test_parameters_are_counted_exactly(name: str, num_parameters: int) -> None:
    assert SHAPES[name].num_parameters == num_parameters


def test_every_shape_has_its_count_checked() -> None:
    assert SHAPES.keys() == PUBLISHED.keys()


def test_flops_leave_the_lookup_out_and_the_head_in() -> None:
    llama = SHAPES["llama-2-7b"]
    assert llama.flops_per_token(0) == 6 * (6_738_415_616 - 32000 * 4096)
    smollm = SHAPES["smollm2-135m"]
    assert smollm.flops_per_token(0) == 6 * 134_515_008


def test_attention_grows_with_the_sequence() -> None:
    llama = SHAPES["llama-2-7b"]
    assert llama.flops_per_token(4096) - llama.flops_per_token(0) == 12 * 32 * 4096 * 4096


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"--model: no shape 'Llama2-7b'; did you mean llama-2-7b.*allowed: tiny,"):
        shape_of("Llama2-7b", path="--model")
