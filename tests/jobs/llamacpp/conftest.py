"""What tests of the exporter share: a tokenizer of the tiny base's kind, and a Llama of its size."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from jobs.llm.instructions import statements

SPECIAL = ["<pad>", "<s>", "</s>"]


def trained(split: Any, *, vocab_size: int = 320) -> Any:
    """A byte-level BPE tokenizer of transformers that splits as given."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(itertools.islice(statements(random.Random(0)), 500), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def grouped_llama(*, vocab_size: int = 320, **values: Any) -> Any:
    """A Llama with grouped queries, so that queries and keys have other numbers of heads."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=vocab_size,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        rms_norm_eps=1e-5,
        initializer_range=0.2,
        **values,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
