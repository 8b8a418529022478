"""Prompts to ask with: pieces of the text that the project ships, chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.compress.corpus import SHIPPED

MAX_WORDS = 4000
"""Of a prompt: the text has a few hundred more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One thing to ask."""

    text: str | tuple[int, ...]
    """Or its token ids, which the server takes as they are."""
    new_tokens: int
    """Of the answer."""


def made_prompts(num: int, *, num_words: int, new_tokens: Sequence[int], seed: int) -> list[Prompt]:
    """So many prompts of so many words, each with an answer of one of the lengths; the same for the same seed."""
    words = SHIPPED.read_text().split()
    chosen = random.Random(seed)
    prompts = []
    for _ in range(num):
        begin = chosen.randrange(len(words) - num_words)
        text = " ".join(words[begin : begin + num_words])
        prompts.append(Prompt(text=text, new_tokens=chosen.choice(new_tokens)))
    return prompts
