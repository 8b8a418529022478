from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.config import Source
from jobs.llm.alpaca import Tokens
from jobs.llm.bases import Base
from jobs.llm.packing import pack, response_loss


@pytest.fixture
def base(llama: Any, tmp_path: Path) -> Base:
    llama.save_pretrained(tmp_path)
    return Base.of(Source(str(tmp_path)), lambda *_: None)


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
