from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from clusterlab.config import Source
from jobs.llm.alpaca import Tokens
from jobs.llm.bases import Base
from jobs.llm.finetune import finetune
from jobs.tuning.methods import METHODS
from tests.jobs.conftest import VOCABULARY, small_llama
from tests.jobs.tuning.conftest import settings

LINEAR = [(64, 64), (64, 32), (64, 32), (64, 64), (64, 128), (64, 128), (128, 64)] * 2
"""(in, out) of the small Llama's linear layers, the head apart."""
TRAINED = {
    "lora": sum(4 * (rows + columns) for rows, columns in LINEAR),
    "qlora": sum(4 * (rows + columns) for rows, columns in LINEAR),
    "dora": sum(4 * (rows + columns) + columns for rows, columns in LINEAR),
    "adalora": sum(6 * (rows + columns + 1) for rows, columns in LINEAR),
    "ia3": 2 * (32 + 32 + 128),
    "full": sum(weight.numel() for weight in small_llama().parameters()),
}
"""By the papers' formulas, at rank 4; AdaLoRA begins at 6, (IA)³ has keys, values and what enters `down_proj`."""


@pytest.fixture
def base(llama: Any, tmp_path: Path) -> Base:
    llama.save_pretrained(tmp_path / "base")
    return Base.of(Source(str(tmp_path / "base")), lambda *_: None)


def _logits(model: Any) -> Any:
    ids = torch.arange(40).reshape(2, 20) % VOCABULARY
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def _tuned(name: str, base: Base, examples: list[Tokens]) -> Any:
    method, config = METHODS[name], settings()
    model = method.attach(base.load(quantized=method.quantized), config)
    recipe = dataclasses.replace(config.recipe(), learning_rate=2e-2)
    finetune(model, examples, recipe, schedule=method.schedule(model))
    return model


@pytest.mark.parametrize("name", METHODS)
def test_each_method_trains_as_many_weights_as_its_paper_says(name: str, base: Base) -> None:
    method = METHODS[name]
    model = method.attach(base.load(quantized=method.quantized), settings())
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) == TRAINED[name]


@pytest.mark.parametrize("name", METHODS)
def test_before_training_a_method_changes_no_answer(name: str, base: Base) -> None:
    method = METHODS[name]
    untouched = base.load(quantized=method.quantized)
    model = method.attach(base.load(quantized=method.quantized), settings())
    torch.testing.assert_close(_logits(model), _logits(untouched))


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning")  # PEFT reads AdaLoRA's as LoRA's
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.adapter])
def test_peft_loads_what_each_method_saved_to_the_same_logits(
    name: str, base: Base, examples: list[Tokens], tmp_path: Path
) -> None:
    model = _tuned(name, base, examples)
    wanted = _logits(model)
    untouched = base.load(quantized=METHODS[name].quantized)
    assert not torch.allclose(wanted, _logits(untouched), atol=1e-3)
    model.save_pretrained(tmp_path / "adapters")
    again = PeftModel.from_pretrained(base.load(quantized=METHODS[name].quantized), tmp_path / "adapters")
    torch.testing.assert_close(_logits(again), wanted)


def test_transformers_loads_all_weights_to_the_same_logits(base: Base, examples: list[Tokens], tmp_path: Path) -> None:
    model = _tuned("full", base, examples)
    model.save_pretrained(tmp_path / "whole")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32)
    assert torch.equal(_logits(again), _logits(model))


def test_adapters_go_on_the_targets_alone(base: Base) -> None:
    model = METHODS["lora"].attach(base.load(quantized=False), settings(TARGETS="q_proj,v_proj"))
    adapted = {name.split(".")[-4] for name, weight in model.named_parameters() if weight.requires_grad}
    assert adapted == {"q_proj", "v_proj"}
