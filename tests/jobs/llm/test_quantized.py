from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.config import Source
from jobs.llm.alpaca import Tokens
from jobs.llm.bases import Base
from jobs.llm.packing import pack, response_loss
from jobs.llm.quantized import BITS_BY_FORMULA, bits_per_parameter, model_mib


@pytest.fixture
def base(llama: Any, tmp_path: Path) -> Base:
    llama.save_pretrained(tmp_path)
    return Base.of(Source(str(tmp_path)), lambda *_: None)


def test_the_formula_is_the_papers() -> None:
    assert pytest.approx(4.127, abs=0.0005) == BITS_BY_FORMULA


def test_large_layers_store_a_weight_in_the_bits_of_the_formula() -> None:
    import bitsandbytes

    layer = bitsandbytes.nn.Linear4bit(1024, 1024, bias=False, quant_type="nf4", compress_statistics=True)
    layer.weight = bitsandbytes.nn.Params4bit(torch.randn(1024, 1024), requires_grad=False, quant_type="nf4")
    layer.to("cpu")
    assert bits_per_parameter(torch.nn.Sequential(layer)) == pytest.approx(BITS_BY_FORMULA, rel=0.005)


def test_a_model_without_quantized_layers_has_no_such_bits(llama: Any) -> None:
    with pytest.raises(ValueError, match="no 4-bit layer"):
        bits_per_parameter(llama)


def test_memory_falls_by_what_the_quantized_layers_save(base: Base) -> None:
    full, quantized = base.load(quantized=False), base.load(quantized=True)
    num_quantized = sum(p.numel() for name, p in full.named_parameters() if "proj" in name)
    saved_bytes = (model_mib(full) - model_mib(quantized)) * 2**20
    assert saved_bytes == pytest.approx(num_quantized * (32 - BITS_BY_FORMULA) / 8, rel=0.1)


def test_memory_counted_on_the_skeleton_is_the_memory_of_the_loaded_model(base: Base) -> None:
    assert model_mib(base.skeleton()) == model_mib(base.load(quantized=False))


def test_gradients_pass_through_a_quantized_model_that_was_evaluated_before(base: Base, examples: list[Tokens]) -> None:
    model = base.load(quantized=True)
    batch = pack(examples, 64)
    model.eval()
    with torch.no_grad():
        evaluated = response_loss(model, batch)
    embedding = model.get_input_embeddings().weight.requires_grad_()
    model.train()
    trained = response_loss(model, batch)
    trained.backward()
    # Were the packed layers without a backward pass, only the residual path would carry a gradient.
    dense = base.load(quantized=False)
    dense.load_state_dict({n: p for n, p in dense.state_dict().items() if "proj" not in n}, strict=False)
    wanted = dense.get_input_embeddings().weight.requires_grad_()
    response_loss(dense, batch).backward()
    torch.testing.assert_close(trained, evaluated)
    assert torch.nn.functional.cosine_similarity(embedding.grad.flatten(), wanted.grad.flatten(), dim=0) > 0.9
