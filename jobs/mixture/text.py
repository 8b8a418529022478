"""The text of the lab, with the kind of each token: what a router may go by."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.llm.lessons import word_level
from jobs.llm.pretrain import SPECIAL_TOKENS
from jobs.parallel.settings import MADE, Training
from jobs.parallel.tokens import LIKELY, SUCCESSORS, Stream, tokenizer_of

VOCABULARY = 256
"""Of the text that is made."""
DIALECTS = tuple("ABCDEFGH")
SENTENCE = 16
"""Tokens, with the dialect's sign."""
STRIDE = 19
"""From one word to the next of all that two syllables make, so that few begin alike."""
SIGNS = ("begins a word", "goes on in a word", "number", "sign")
"""Kinds of token of any other text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Rows to train on, and others to measure on."""

    train: Stream
    held_out: Stream
    kinds: Stream
    """Of the tokens of `held_out`: numbers of `names`."""
    names: tuple[str, ...]
    tokenizer: Any

    @classmethod
    def of(cls, config: Training, num_held_out: int) -> Text:
        """The text that a lab trains on, of which the last rows are held out.

        `made` is of eight dialects, which are the kinds of its tokens: a sentence begins with the sign of its dialect,
        and which words may follow a word is another matter in each. It is more to know than one small MLP can hold.

        Raises:
            InputError: it cannot be read, is too short, or has tokens that the model has not.
        """
        if config.data == MADE:
            ids, kinds = _made(config, config.steps * config.global_batch_size + num_held_out)
            return cls._cut(config, num_held_out, ids, kinds, _words())
        tokenizer, ids = tokenizer_of(config), Stream.of(config).ids
        signs = _signs(tokenizer.convert_ids_to_tokens(range(config.shape.vocab_size)))
        return cls._cut(config, num_held_out, ids, signs[ids], tokenizer)

    @classmethod
    def _cut(cls, config: Training, num_held_out: int, ids: Any, kinds: Any, tokenizer: Any) -> Text:
        last = num_held_out * config.seq_length + 1
        if len(ids) < 2 * last:
            message = f"{config.data} has {len(ids) // config.seq_length} rows, of which at most half can be held out"
            raise InputError(Problem(path=f"NUM_HELD_OUT={num_held_out}", message=message))
        parts = {"train": ids[:-last], "held_out": ids[-last:], "kinds": kinds[-last:]}
        streams = {name: Stream(ids=part, row_length=config.seq_length) for name, part in parts.items()}
        return cls(**streams, names=kinds_of(config), tokenizer=tokenizer)


def kinds_of(config: Training) -> tuple[str, ...]:
    """The names of the kinds that the tokens of a text are of."""
    return DIALECTS if config.data == MADE else SIGNS


def _made(config: Training, num_rows: int) -> tuple[Any, Any]:
    """So many rows of token ids and of dialects: the sentences end to end."""
    import torch

    rng = random.Random(config.seed)
    first = len(SPECIAL_TOKENS) + 1
    signs, words = range(first, first + len(DIALECTS)), range(first + len(DIALECTS), VOCABULARY)
    successors = {(sign, last): rng.sample(words, SUCCESSORS) for sign in signs for last in (sign, *words)}
    ids: list[int] = []
    while len(ids) <= num_rows * config.seq_length:
        sign = rng.choice(signs)
        ids.append(sign)
        for choice in rng.choices(range(SUCCESSORS), LIKELY, k=SENTENCE - 1):
            ids.append(successors[sign, ids[-1]][choice])
    kinds = torch.tensor(ids[::SENTENCE]).repeat_interleave(SENTENCE) - first
    return torch.tensor(ids), kinds


def _words() -> Any:
    """The tokenizer of the text that is made: signs of dialects, and words of two syllables."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = [*DIALECTS, *[first + second for first in syllables for second in syllables][::STRIDE]]
    return word_level(["".join(f" {word}" for word in words[: VOCABULARY - len(SPECIAL_TOKENS) - 1])])


def _signs(tokens: Sequence[str]) -> Any:
    """By token id the number of its kind in `SIGNS`; of ids that stand for nothing the last."""
    import torch

    found = []
    for token in tokens:
        word = (token or "").lstrip("Ġ▁")
        kind = 2 if word.isdigit() else 3 if not word.isalpha() else int(word == token)
        found.append(kind)
    return torch.tensor(found)
