from __future__ import annotations

import dataclasses
from typing import Any

import bitsandbytes
import pytest
import torch

from jobs.compress.int8 import (
    THRESHOLD,
    Installed,
    Int8Linear,
    Int8Rows,
    decompose,
    decompose_stored,
    int8_product,
    outlier_columns,
    quantize,
)
from jobs.compress.layers import decoder_linears

TOKENS, INPUTS, OUTPUTS = 40, 64, 48
OUTLIERS = [5, 33]


@pytest.fixture
def linear() -> torch.nn.Linear:
    """Weights that float16 holds: bitsandbytes takes no others."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(INPUTS, OUTPUTS)
    layer.weight.data = layer.weight.data.half().float()
    return layer


@pytest.fixture
def activations() -> Any:
    """Ordinary ones, and two columns of outliers."""
    torch.manual_seed(1)
    found = torch.randn(TOKENS, INPUTS).clamp(-3, 3)
    found[:, OUTLIERS] = 40 * (1 + torch.rand(TOKENS, len(OUTLIERS)))
    return found.half().float()


def _wide(rows: Int8Rows) -> Any:
    return rows.values.float() * rows.scales


def _relative(found: Any, wanted: Any) -> float:
    return float((found - wanted).norm() / wanted.norm())


def _bitsandbytes(linear: torch.nn.Linear, threshold: float) -> Any:
    layer = bitsandbytes.nn.Linear8bitLt(INPUTS, OUTPUTS, has_fp16_weights=False, threshold=threshold)
    layer.load_state_dict(linear.state_dict())
    return layer.to("cpu").eval()


def test_a_row_is_rounded_to_steps_of_its_own_and_its_largest_is_127() -> None:
    matrix = torch.tensor([[0.5, -2.0, 1.0], [100.0, 0.3, -0.1], [0.0, 0.0, 0.0]])
    rows = Int8Rows.of(matrix)
    assert rows.values.abs().amax(dim=1).tolist() == [127, 127, 0]
    assert rows.values[1].tolist() == [127, 0, 0]  # What an outlier does to its row.
    assert ((_wide(rows) - matrix).abs() <= rows.scales / 2 * (1 + 1e-6)).all()


def test_the_product_of_integers_is_exact(activations: Any, linear: torch.nn.Linear) -> None:
    left, right = Int8Rows.of(activations), Int8Rows.of(linear.weight.detach())
    exact = (left.values.long() @ right.values.long().T).double() * left.scales.double() * right.scales.double().T
    torch.testing.assert_close(int8_product(left, right).double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("threshold", [0.0, THRESHOLD])
def test_a_layer_gives_what_bitsandbytes_gives(linear: torch.nn.Linear, activations: Any, threshold: float) -> None:
    ours = dataclasses.replace(Int8Linear.of(linear), threshold=threshold or None)
    theirs = _bitsandbytes(linear, threshold)
    with torch.no_grad():
        wanted, found = theirs(activations), ours(activations)
    steps = (theirs.state.CB.int() - ours.weight.values.int()).abs()
    assert steps.max() <= 1  # A tie goes the other way where they multiply and we divide.
    assert steps.sum() <= 0.001 * steps.numel()
    # Their constant for 1 / 127**2 is 6.200124e-05, where 6.200012e-05 would be right: 2e-5 in every product.
    assert _relative(found, wanted) < 1e-4
    # Far from each other would be the two forms themselves.
    other = dataclasses.replace(ours, threshold=None if threshold else THRESHOLD)
    assert _relative(other(activations).detach(), wanted) > 1e-2


def test_the_columns_taken_out_are_those_that_reach_the_threshold(activations: Any) -> None:
    assert torch.nonzero(outlier_columns(activations, THRESHOLD)).flatten().tolist() == OUTLIERS
    assert outlier_columns(torch.full((1, 1, 2), THRESHOLD), THRESHOLD).tolist() == [True, True]


def test_the_papers_decomposition_quantizes_neither_outliers_nor_their_weights(
    linear: torch.nn.Linear, activations: Any
) -> None:
    weight, bias = linear.weight.detach(), linear.bias.detach()
    layer = dataclasses.replace(Int8Linear.of(linear), threshold=THRESHOLD, wide_weight=weight)
    regular = [column for column in range(INPUTS) if column not in OUTLIERS]
    rounded = _wide(Int8Rows.of(activations[:, regular])) @ _wide(Int8Rows.of(weight))[:, regular].T
    torch.testing.assert_close(layer(activations), rounded + activations[:, OUTLIERS] @ weight[:, OUTLIERS].T + bias)


def test_a_layer_keeps_shape_and_dtype(linear: torch.nn.Linear, activations: Any) -> None:
    found = Int8Linear.of(linear)(activations.bfloat16().reshape(4, 10, INPUTS))
    assert (found.shape, found.dtype) == ((4, 10, OUTPUTS), torch.bfloat16)


def test_a_model_computes_with_other_layers_only_while_it_is_called(llama: Any) -> None:
    ids = torch.arange(20)[None]
    layers = quantize(llama)
    assert set(layers) == set(decoder_linears(llama))
    assert not any("lm_head" in name for name in layers)
    with torch.no_grad():
        before = llama(input_ids=ids).logits
        inside = Installed(model=llama, layers=layers)(input_ids=ids).logits
        after = llama(input_ids=ids).logits
    assert torch.equal(before, after)
    assert not torch.equal(before, inside)
    assert _relative(inside, before) < 0.05


def test_a_model_is_itself_again_after_a_call_that_failed(llama: Any) -> None:
    quantized = Installed(model=llama, layers=quantize(llama))
    with pytest.raises(TypeError):
        quantized(input_ids="no ids")
    assert all("forward" not in vars(linear) for linear in decoder_linears(llama).values())


def test_both_decompositions_share_the_int8_weights_and_differ_in_the_outliers_weights(llama: Any) -> None:
    layers = quantize(llama)
    paper, stored = decompose(llama, layers, THRESHOLD), decompose_stored(layers, THRESHOLD)
    name = "model.layers.0.mlp.up_proj"
    assert paper[name].weight is stored[name].weight is layers[name].weight
    assert torch.equal(paper[name].wide_weight, llama.get_submodule(name).weight)
    assert stored[name].wide_weight is None
