"""LoRA adapters, saved as the labs save them, are served by vLLM, and say there what they say in PEFT."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from jobs.llm.bases import Base
from jobs.tuning.methods import METHODS
from tests.jobs.tuning.conftest import settings
from tests.vllm.conftest import complete

NUM_TOKENS = 16
TOLERANCE = 1e-3
"""Nats that a token's log-probability may differ by: both compute in float32."""


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights, since one that is not trained adds nothing."""
    folder = tmp_path_factory.mktemp("adapter")
    model = METHODS["lora"].attach(Base(name=str(base)).load(quantized=False), settings())
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    chosen = random.Random(0)
    return [[chosen.randrange(3, 2048) for _ in range(8)] for _ in range(4)]


@pytest.fixture(scope="module")
def answers(python: str, base: Path, adapter: Path, prompts: list[list[int]]) -> tuple[Any, Any]:
    """Of the base, and of the base with the adapter."""
    same = {"checkpoint": str(base), "dtype": "float32", "prompts": prompts, "num_tokens": NUM_TOKENS}
    plain, adapted = complete(python, same, same | {"adapter": str(adapter)})
    return plain, adapted


def test_vllm_says_with_an_adapter_what_peft_says(
    answers: tuple[Any, Any], base: Path, adapter: Path, prompts: list[list[int]]
) -> None:
    _, adapted = answers
    model = PeftModel.from_pretrained(Base(name=str(base)).load(quantized=False), adapter).eval()
    tokens = torch.tensor(adapted["tokens"])
    with torch.inference_mode():
        logits = model(input_ids=torch.cat([torch.tensor(prompts), tokens], dim=1)).logits
    logprobs = logits[:, len(prompts[0]) - 1 : -1].log_softmax(dim=-1)
    chosen = logprobs.gather(-1, tokens[..., None])[..., 0]
    torch.testing.assert_close(chosen, torch.tensor(adapted["logprobs"]), rtol=0, atol=TOLERANCE)
    assert (logprobs.amax(dim=-1) - chosen).max() < TOLERANCE


def test_the_adapter_changes_what_the_base_says(answers: tuple[Any, Any]) -> None:
    plain, adapted = answers
    assert plain["tokens"] != adapted["tokens"]
