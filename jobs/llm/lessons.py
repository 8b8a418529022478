"""A small Llama that is trained here on lessons: what it is given, and what it shall write."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.llm.pretrain import EOS, PAD, TinyLlama, byte_level_bpe, fit, untrained

Lesson = tuple[str, str]
"""What the model is given, and what it shall write."""
IGNORED = -100
"""torch's label of a token that is no lesson: what is given is not to be learned."""
SORTED_BATCHES = 16
"""Batches that are cut out of one sorted heap of lessons, so that few places of a batch are padding."""
TOKENIZED = 4000
"""Lessons that the tokenizer is made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learner:
    """How the model is made."""

    hidden_size: int = 128
    intermediate_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    max_position_embeddings: int = 256
    steps: int
    batch_size: int = 32
    """Lessons a step."""
    learning_rate: float = 2e-3
    seed: int = 0


def learn(learner: Learner, taught: Iterator[Lesson], folder: Path, report: Callable[[int, int, float], None]) -> None:
    """Train the model on lessons without end, and save it as `from_pretrained` loads it.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write.
    """
    import torch

    torch.manual_seed(learner.seed)
    tokenizer = _train_tokenizer(list(itertools.islice(taught, TOKENIZED)))
    model = untrained(_shape(learner, len(tokenizer)))
    batches = _batches(learner, taught, tokenizer)
    fit(model, batches, steps=learner.steps, learning_rate=learner.learning_rate, report=report)
    model.generation_config.eos_token_id = EOS
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _shape(learner: Learner, vocab_size: int) -> TinyLlama:
    return TinyLlama(
        hidden_size=learner.hidden_size,
        intermediate_size=learner.intermediate_size,
        num_hidden_layers=learner.num_hidden_layers,
        num_attention_heads=learner.num_attention_heads,
        num_key_value_heads=learner.num_attention_heads,
        vocab_size=vocab_size,
        max_position_embeddings=learner.max_position_embeddings,
    )


def _train_tokenizer(taught: Sequence[Lesson]) -> Any:
    """Its tokens are the words, and the numbers that are common; others are written in digits."""
    texts = (given + written for given, written in taught)
    return byte_level_bpe(texts, vocab_size=1024, add_prefix_space=False)


def _batches(learner: Learner, taught: Iterator[Lesson], tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Token ids, labels and where they are no padding, each of shape (batch_size, longest of the batch)."""
    rng = random.Random(learner.seed)
    while True:
        drawn = list(itertools.islice(taught, SORTED_BATCHES * learner.batch_size))
        given = tokenizer([lesson[0] for lesson in drawn])["input_ids"]
        written = tokenizer([lesson[1] for lesson in drawn])["input_ids"]
        pairs = sorted(zip(given, written, strict=True), key=lambda pair: len(pair[0]) + len(pair[1]))
        batches = [pairs[begin : begin + learner.batch_size] for begin in range(0, len(pairs), learner.batch_size)]
        rng.shuffle(batches)
        yield from map(_padded, batches)


def _padded(pairs: Sequence[tuple[list[int], list[int]]]) -> dict[str, Any]:
    import torch

    width = max(len(given) + len(written) for given, written in pairs) + 1
    tokens, labels = [], []
    for given, written in pairs:
        padding = width - len(given) - len(written) - 1
        tokens.append([*given, *written, EOS, *[PAD] * padding])
        labels.append([*[IGNORED] * len(given), *written, EOS, *[IGNORED] * padding])
    ids = torch.tensor(tokens)
    return {"input_ids": ids, "attention_mask": ids != PAD, "labels": torch.tensor(labels)}
