"""A small Llama that is trained here on lessons: what it is given, and what it shall write."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.llm.pretrain import BOS, EOS, PAD, SPECIAL_TOKENS, TinyLlama, byte_level_bpe, fit, untrained

Lesson = tuple[str, str]
"""What the model is given, and what it shall write."""
Pair = tuple[list[int], list[int]]
"""Token ids of what is given, and of what shall be written."""
IGNORED = -100
"""torch's label of a token that is no lesson: what is given is not to be learned."""
HEAP = 1024
"""Lessons that are sorted by length before batches are cut out of them, so that few places of a batch are padding."""
UNKNOWN = "<unknown>"
"""The token of every word that no lesson has."""
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
    step_tokens: int = 2048
    """With padding, at most: a step has few long lessons or many short ones."""
    learning_rate: float = 2e-3
    initializer_range: float = 0.02
    """Standard deviation of the first weights. Transformers' own is 1 / sqrt(width) of a width of 2500; from it a model
    that is narrow may learn late, or never in its steps, what two words mean together."""
    seed: int = 0


def common_pieces(texts: Iterable[str]) -> Any:
    """A tokenizer whose tokens are common words and numbers; others are written in pieces of them."""
    return byte_level_bpe(texts, vocab_size=1024, add_prefix_space=False)


def word_level(texts: Iterable[str]) -> Any:
    """A tokenizer whose tokens are the words and signs of these texts; whatever else is met is one token, `UNKNOWN`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    vocabulary = {word: number for number, word in enumerate([*SPECIAL_TOKENS, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    names = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS}
    special = {name: SPECIAL_TOKENS[number] for name, number in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=UNKNOWN, **special)


def learn(
    learner: Learner,
    taught: Iterator[Lesson],
    folder: Path,
    report: Callable[[int, int, float], None],
    *,
    tokenizer_of: Callable[[Iterable[str]], Any] = common_pieces,
) -> None:
    """Train the model on lessons without end, and save it as `from_pretrained` loads it.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write. `tokenizer_of`
    makes the tokenizer of the texts of the first lessons.
    """
    import torch

    torch.manual_seed(learner.seed)
    tokenizer = tokenizer_of([given + written for given, written in itertools.islice(taught, TOKENIZED)])
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
        initializer_range=learner.initializer_range,
    )


def _batches(learner: Learner, taught: Iterator[Lesson], tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Token ids and labels, each of shape (lessons, longest of them), in an order that does not depend on length."""
    rng = random.Random(learner.seed)
    while True:
        drawn = list(itertools.islice(taught, HEAP))
        given = tokenizer([lesson[0] for lesson in drawn])["input_ids"]
        written = tokenizer([lesson[1] for lesson in drawn])["input_ids"]
        batches = list(_cut(sorted(zip(given, written, strict=True), key=_width), learner.step_tokens))
        rng.shuffle(batches)
        yield from map(_padded, batches)


def _cut(pairs: Iterable[Pair], most: int) -> Iterator[list[Pair]]:
    """Batches of at most so many tokens, of pairs that become longer."""
    batch: list[Pair] = []
    for pair in pairs:
        if batch and (len(batch) + 1) * _width(pair) > most:
            yield batch
            batch = []
        batch.append(pair)
    yield batch


def _width(pair: Pair) -> int:
    return len(pair[0]) + len(pair[1]) + 1


def _padded(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Padding is behind a lesson, where nothing before it looks: no mask is needed, and attention is faster."""
    import torch

    width = max(map(_width, pairs))
    tokens, labels = [], []
    for given, written in pairs:
        padding = width - _width((given, written))
        tokens.append([*given, *written, EOS, *[PAD] * padding])
        labels.append([*[IGNORED] * len(given), *written, EOS, *[IGNORED] * padding])
    return {"input_ids": torch.tensor(tokens), "labels": torch.tensor(labels)}
