"""What tests of servers share: a checkpoint whose tokens are bytes, and a server of each engine to ask."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.serving.settings import ServerSettings
from tests.repository import MARK, no_process_left

SPECIAL = ("<pad>", "<s>", "</s>")
END = 2
NUM_TOKENS = 259
MAX_MODEL_LEN = 128
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def settings_of(folder: Path, **values: Any) -> ServerSettings:
    """Eight places, float32."""
    same: dict[str, Any] = {"served_name": "small", "dtype": "float32", "max_model_len": MAX_MODEL_LEN, "max_slots": 8}
    return ServerSettings(**{"model": str(folder), **same, **values})


def write_tokenizer(folder: Path, template: str | None = TEMPLATE) -> None:
    """A token for each byte and three special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    pad, begin, end = SPECIAL
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=pad, bos_token=begin, eos_token=end)
    made.chat_template = template
    made.save_pretrained(folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 0.1 million random weights that saves its end of text."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=NUM_TOKENS,
        max_position_embeddings=2 * MAX_MODEL_LEN,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def mark_of_module() -> Iterator[str]:
    """What every process that a module starts inherits; none may be left."""
    mark = uuid.uuid4().hex
    with no_process_left(mark), pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, mark)
        yield mark
