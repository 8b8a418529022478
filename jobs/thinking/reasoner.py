"""A Llama that is trained here to think in small steps, for the scale `tiny`: minutes of one core."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.llm.cache import cached
from jobs.llm.pretrain import BOS, EOS, PAD, SPECIAL_TOKENS, TinyLlama, fit, untrained
from jobs.thinking import game24
from jobs.thinking.lessons import Lesson, lessons

MADE_BY = (
    *("thinking/reasoner.py", "thinking/lessons.py", "thinking/game24.py", "thinking/word_problems.py"),
    "llm/pretrain.py",
)
"""The files of `jobs/` that decide what the model becomes."""
Pair = tuple[list[int], list[int]]
"""Token ids of what is given, and of what shall be written."""
IGNORED = -100
"""torch's label of a token that is no lesson: what is given is not to be learned."""
HEAP = 1024
"""Lessons that are sorted by length before batches are cut out of them, so that few places of a batch are padding."""
UNKNOWN = "<unknown>"
"""The token of every word that no lesson has."""
LARGEST_NUMBER = 100
"""That is a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoner:
    """How the model is made."""

    hidden_size: int = 128
    intermediate_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    max_position_embeddings: int = 256
    steps: int = 3000
    step_tokens: int = 1536
    """With padding, at most: a step has few long lessons or many short ones."""
    learning_rate: float = 2e-3
    max_changes: int = 5
    """Of word problems."""
    largest: int = 9
    """Number of a puzzle."""
    num_held_out: int = 100
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
    puzzles, _ = game24.split(recipe.num_held_out, largest=recipe.largest, seed=recipe.seed)
    taught = lessons(puzzles, max_changes=recipe.max_changes, seed=recipe.seed)
    tokenizer = _tokenizer(itertools.islice(taught, 4000))
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


def _tokenizer(taught: Iterable[Lesson]) -> Any:
    """Its tokens are the words and signs of the lessons, and whole numbers: few, so that the model is all thinking."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = itertools.chain(
        (given + written for given, written in taught), (f" {n}" for n in range(LARGEST_NUMBER + 1))
    )
    words = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    vocabulary = {word: number for number, word in enumerate([*SPECIAL_TOKENS, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    names = {"pad_token": PAD, "bos_token": BOS, "eos_token": EOS}
    special = {name: SPECIAL_TOKENS[number] for name, number in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=UNKNOWN, **special)


def _batches(recipe: Reasoner, taught: Iterator[Lesson], tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Token ids and labels, each of shape (lessons, longest of them), in an order that does not depend on length."""
    rng = random.Random(recipe.seed)
    while True:
        drawn = list(itertools.islice(taught, HEAP))
        given = tokenizer([lesson[0] for lesson in drawn])["input_ids"]
        written = tokenizer([lesson[1] for lesson in drawn])["input_ids"]
        batches = list(_cut(sorted(zip(given, written, strict=True), key=_width), recipe.step_tokens))
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
