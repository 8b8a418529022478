from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.config import Source
from jobs.compress.size import bits_per_parameter, disk_bytes, linear_shapes, memory_bytes, num_weights
from jobs.llm.bases import Base
from tests.jobs.conftest import NF4_BITS


@pytest.fixture
def base(llama: Any, tmp_path: Path) -> Base:
    llama.save_pretrained(tmp_path)
    return Base.of(Source(str(tmp_path)), lambda *_: None)


def test_a_plain_model_takes_32_bits_a_weight(llama: Any) -> None:
    shapes = linear_shapes(llama)
    assert len(shapes) == 2 * 7
    assert shapes["model.layers.1.mlp.down_proj"] == (64, 128)
    assert bits_per_parameter(llama, shapes) == 32
    assert memory_bytes(llama) == sum(p.numel() for p in llama.parameters()) * 4 + 4 * sum(
        b.numel() for b in llama.buffers()
    )


def test_a_weight_that_two_layers_share_counts_once(llama: Any) -> None:
    before, head = memory_bytes(llama), llama.lm_head.weight
    llama.lm_head.weight = llama.model.embed_tokens.weight
    assert memory_bytes(llama) == before - head.numel() * 4


def test_memory_counted_on_the_skeleton_is_the_memory_of_the_loaded_model(base: Base) -> None:
    assert memory_bytes(base.skeleton()) == memory_bytes(base.load(quantized=False))


def test_large_4_bit_layers_store_a_weight_in_the_bits_of_the_formula() -> None:
    import bitsandbytes

    layer = bitsandbytes.nn.Linear4bit(1024, 1024, bias=False, quant_type="nf4", compress_statistics=True)
    layer.weight = bitsandbytes.nn.Params4bit(torch.randn(1024, 1024), requires_grad=False, quant_type="nf4")
    layer.to("cpu")
    model = torch.nn.Sequential(layer)
    assert bits_per_parameter(model, {"0": (1024, 1024)}) == pytest.approx(NF4_BITS, rel=0.005)


def test_memory_falls_by_what_4_bit_layers_save(base: Base) -> None:
    shapes, full, quantized = linear_shapes(base.skeleton()), base.load(quantized=False), base.load(quantized=True)
    saved = memory_bytes(full) - memory_bytes(quantized)
    assert saved == pytest.approx(num_weights(shapes) * (32 - NF4_BITS) / 8, rel=0.1)
    assert bits_per_parameter(quantized, shapes) == pytest.approx(NF4_BITS, rel=0.06)


def test_bytes_of_a_tensor_that_is_made_of_several_are_those_of_its_parts() -> None:
    from torch.testing._internal.two_tensor import TwoTensor

    layer = torch.nn.Linear(8, 4, bias=False)
    layer.weight = torch.nn.Parameter(TwoTensor(torch.zeros(4, 8), torch.ones(4, 8)), requires_grad=False)
    assert memory_bytes(layer) == 2 * 4 * 8 * 4


def test_only_files_of_weights_count_on_disk(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    (tmp_path / "tokenizer.json").write_text("{}")
    assert disk_bytes(tmp_path) == 5
