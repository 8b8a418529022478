"""A Llama that is trained here to think in small steps, for the scale `tiny`: two minutes of one core."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.llm.cache import cached
from jobs.llm.pretrain import EOS, PAD, TinyLlama, byte_level_bpe, fit, untrained
from jobs.thinking import game24
from jobs.thinking.lessons import Lesson, lessons

MADE_BY = (
    *("thinking/reasoner.py", "thinking/lessons.py", "thinking/game24.py", "thinking/word_problems.py"),
    "llm/pretrain.py",
)
"""The files of `jobs/` that decide what the model becomes."""
IGNORED = -100
"""torch's label of a token that is no lesson: what is given is not to be learned."""
SORTED_BATCHES = 16
"""Batches that are cut out of one sorted heap of lessons, so that few places of a batch are padding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoner:
    """How the model is made."""

    hidden_size: int = 128
    intermediate_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    max_position_embeddings: int = 256
    steps: int = 1700
    batch_size: int = 32
    """Lessons a step."""
    learning_rate: float = 2e-3
    max_changes: int = 6
    """Of word problems."""
    num_held_out: int = 200
    """Puzzles that no lesson is about."""
    seed: int = 0


def reasoner(report: Callable[[int, int, float], None], recipe: Reasoner | None = None) -> Path:
    """The folder of the trained model, trained now if it is not in the cache.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write.
    """
    recipe = recipe or Reasoner()
    jobs = Path(__file__).parents[1]
    key = asdict(recipe) | {"made_by": digest_files(jobs, [jobs / name for name in MADE_BY])}
    return cached("reasoner", key, lambda folder: train(recipe, folder, report))


def train(recipe: Reasoner, folder: Path, report: Callable[[int, int, float], None]) -> None:
    """Train the model and save it as `from_pretrained` loads it."""
    import torch

    torch.manual_seed(recipe.seed)
    puzzles, _ = game24.split(recipe.num_held_out, seed=recipe.seed)
    taught = lessons(puzzles, max_changes=recipe.max_changes, seed=recipe.seed)
    tokenizer = _train_tokenizer(list(itertools.islice(taught, 4000)))
    model = untrained(_shape(recipe, len(tokenizer)))
    batches = _batches(recipe, taught, tokenizer)
    fit(model, batches, steps=recipe.steps, learning_rate=recipe.learning_rate, report=report)
    model.generation_config.eos_token_id = EOS
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _shape(recipe: Reasoner, vocab_size: int) -> TinyLlama:
    return TinyLlama(
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.num_hidden_layers,
        num_attention_heads=recipe.num_attention_heads,
        num_key_value_heads=recipe.num_attention_heads,
        vocab_size=vocab_size,
        max_position_embeddings=recipe.max_position_embeddings,
    )


def _train_tokenizer(taught: Sequence[Lesson]) -> Any:
    """Its tokens are the words, and the numbers that are common; others are written in digits."""
    texts = (given + written for given, written in taught)
    return byte_level_bpe(texts, vocab_size=1024, add_prefix_space=False)


def _batches(recipe: Reasoner, taught: Iterator[Lesson], tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Token ids, labels and where they are no padding, each of shape (batch_size, longest of the batch)."""
    rng = random.Random(recipe.seed)
    while True:
        drawn = list(itertools.islice(taught, SORTED_BATCHES * recipe.batch_size))
        given = tokenizer([lesson[0] for lesson in drawn])["input_ids"]
        written = tokenizer([lesson[1] for lesson in drawn])["input_ids"]
        pairs = sorted(zip(given, written, strict=True), key=lambda pair: len(pair[0]) + len(pair[1]))
        batches = [pairs[begin : begin + recipe.batch_size] for begin in range(0, len(pairs), recipe.batch_size)]
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
