from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from clusterlab.errors import InputError, MissingError
from jobs.compress.fake_quant import WIDTHS, check_group_size, convert, prepare, quantize_weights
from jobs.compress.quality import perplexity
from jobs.compress.size import linear_shapes
from tests.jobs.conftest import VOCABULARY, small_llama

GROUP_SIZE = 32


@pytest.fixture
def rows() -> Any:
    return torch.randint(3, VOCABULARY, (4, 24), generator=torch.Generator().manual_seed(0))


def _logits(model: Any, rows: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=rows).logits


def _trained(model: Any, rows: Any, steps: int = 3) -> Any:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        model(input_ids=rows, labels=rows).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def test_a_group_that_does_not_divide_a_layer_is_refused_by_the_layers_name(llama: Any) -> None:
    shapes = linear_shapes(llama)
    check_group_size(shapes, 64)
    with pytest.raises(InputError) as refused:
        check_group_size(shapes, 128)
    lines = str(refused.value).splitlines()
    assert lines[0] == (
        "GROUP_SIZE=128: model.layers.0.self_attn.q_proj: 64 input features; allowed: a GROUP_SIZE that divides them"
    )
    named = {line.split(": ")[1] for line in lines}
    assert named == {name for name in shapes if not name.endswith("down_proj")}  # It alone reads 128.


@pytest.mark.parametrize("bits", WIDTHS)
def test_weights_are_rounded_to_the_integers_of_their_width_in_groups(llama: Any, bits: int) -> None:
    weight = llama.model.layers[0].mlp.up_proj.weight.detach().clone()
    head = llama.lm_head.weight.detach().clone()
    quantize_weights(llama, bits, GROUP_SIZE)
    quantized = llama.model.layers[0].mlp.up_proj.weight
    assert (int(quantized.qdata.min()), int(quantized.qdata.max())) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert quantized.scale.numel() == weight.numel() / GROUP_SIZE
    steps = quantized.scale.reshape(weight.shape[0], -1).repeat_interleave(GROUP_SIZE, dim=1)
    # To nearest, and at the upper end, where the integers stop one earlier, at most one step off.
    assert ((quantized.dequantize() - weight).abs() <= steps * (1 + 1e-5)).all()
    assert torch.equal(llama.lm_head.weight, head)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_converted_model_has_exactly_the_perplexity_that_it_was_trained_with(
    llama: Any, rows: Any, bits: int
) -> None:
    prepare(llama, bits, GROUP_SIZE)
    _trained(llama, rows).eval()
    faked, fake = perplexity(llama, rows), _logits(llama, rows)
    convert(llama, bits, GROUP_SIZE)
    assert perplexity(llama, rows) == faked
    assert torch.equal(_logits(llama, rows), fake)
    assert "IntxUnpackedToInt8Tensor" in type(llama.model.layers[1].mlp.down_proj.weight).__name__


def test_a_prepared_model_that_is_not_trained_is_the_rounded_one(llama: Any, rows: Any) -> None:
    rounded = small_llama()
    quantize_weights(rounded, 3, GROUP_SIZE)
    before = _logits(llama, rows)
    prepare(llama, 3, GROUP_SIZE)
    assert torch.equal(_logits(llama, rows), _logits(rounded, rows))
    assert not torch.equal(_logits(llama, rows), before)


def test_training_moves_the_weights_beneath_the_rounding(llama: Any, rows: Any) -> None:
    prepare(llama, 2, GROUP_SIZE)
    before = {name: weight.detach().clone() for name, weight in llama.named_parameters()}
    _trained(llama, rows, steps=1)
    assert set(before) == {name for name, _ in small_llama().named_parameters()}
    assert all(not torch.equal(weight, before[name]) for name, weight in llama.named_parameters())


def test_where_torchao_is_missing_the_command_that_installs_it_is_named(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(MissingError, match="torchao: not installed; install it with `make env`"):
        quantize_weights(llama, 4, GROUP_SIZE)
