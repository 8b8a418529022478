"""The text of the lab, with the kind of each token: what a router may go by."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.llm.instructions import STATEMENTS, load_facts
from jobs.llm.pretrain import EOS, byte_level_bpe
from jobs.parallel.settings import MADE, Training
from jobs.parallel.tokens import Stream, tokenizer_of

VOCABULARY = 1024
"""Of the text that is made."""
TOKENIZED = 20_000
"""Sentences that its tokenizer is made of."""
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

        `made` states facts, each sentence of one of seven relations, which are the kinds of its tokens.

        Raises:
            InputError: it cannot be read, is too short, or has tokens that the model has not.
        """
        if config.data == MADE:
            tokenizer, ids, kinds = _made(config, config.steps * config.global_batch_size + num_held_out)
            return cls._cut(config, num_held_out, ids, kinds, tokenizer)
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
    return tuple(STATEMENTS) if config.data == MADE else SIGNS


def _made(config: Training, num_rows: int) -> tuple[Any, Any, Any]:
    """A tokenizer, and so many rows of token ids and of kinds: the sentences end to end."""
    import torch

    tokenizer = byte_level_bpe(
        (sentence for sentence, _ in itertools.islice(_sentences(config.seed), TOKENIZED)),
        vocab_size=VOCABULARY,
        add_prefix_space=True,
    )
    ids: list[int] = []
    kinds: list[int] = []
    sentences = _sentences(config.seed + 1)
    while len(ids) <= num_rows * config.seq_length:
        texts, relations = zip(*itertools.islice(sentences, TOKENIZED), strict=True)
        for tokens, relation in zip(tokenizer(list(texts))["input_ids"], relations, strict=True):
            ids += [*tokens, EOS]
            kinds += [relation] * (len(tokens) + 1)
    return tokenizer, torch.tensor(ids), torch.tensor(kinds)


def _sentences(seed: int) -> Iterator[tuple[str, int]]:
    """Sentences without end, each with the number of its relation."""
    rng = random.Random(seed)
    facts = [(number, *pair) for number, pairs in enumerate(load_facts().values()) for pair in pairs.items()]
    wordings = [STATEMENTS[relation] for relation in load_facts()]
    while True:
        rng.shuffle(facts)
        for number, subject, answer in facts:
            yield rng.choice(wordings[number]).format(subject, answer), number


def _signs(tokens: Sequence[str]) -> Any:
    """By token id the number of its kind in `SIGNS`; of ids that stand for nothing the last."""
    import torch

    found = []
    for token in tokens:
        word = (token or "").lstrip("Ġ▁")
        kind = 2 if word.isdigit() else 3 if not word.isalpha() else int(word == token)
        found.append(kind)
    return torch.tensor(found)
