"""What tests of jobs share: a small Llama with random weights, and examples of token ids."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from jobs.llm.alpaca import Tokens

VOCABULARY = 96
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Of a parameter, by section 3 of QLoRA: its own, its share of a block's constant, and that one's of another."""


def small_llama(*, num_key_value_heads: int = 2) -> Any:
    """A Llama of 0.1 million random weights, the same each time."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=num_key_value_heads,
            vocab_size=VOCABULARY,
            max_position_embeddings=128,
            use_cache=False,
        )
    )


@pytest.fixture
def llama() -> Any:
    return small_llama()


@pytest.fixture
def examples() -> list[Tokens]:
    rng = random.Random(0)
    return [
        Tokens(
            prompt=[rng.randrange(3, VOCABULARY) for _ in range(rng.randint(4, 20))],
            response=[rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, 5))],
        )
        for _ in range(24)
    ]
