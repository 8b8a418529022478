"""Prompts that begin alike: what share of them a server finds in its cache, and how soon it then answers."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from clusterlab.errors import ClusterlabError
from jobs.load.loops import closed
from jobs.load.prompts import Prompt
from jobs.paging.counters import Counters
from jobs.serving.endpoint import Endpoint

NEW_TOKENS = 2
LIMIT_SECONDS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompts:
    """Prompts of token ids, equally long."""

    num_tokens: int
    """Of a prompt."""
    num_prompts: int
    """That are measured for each prefix."""
    vocab_size: int
    seed: int

    def alike(self, percent: int) -> list[Prompt]:
        """One prompt more than are measured; so much of their beginning is the same, and in no other such list."""
        rng = random.Random(f"{self.seed} {percent}")
        prefix = self._draw(rng, round(percent * self.num_tokens / 100))
        return [
            Prompt(text=(*prefix, *self._draw(rng, self.num_tokens - len(prefix))), new_tokens=NEW_TOKENS)
            for _ in range(self.num_prompts + 1)
        ]

    def _draw(self, rng: random.Random, count: int) -> tuple[int, ...]:
        return tuple(rng.randrange(self.vocab_size) for _ in range(count))


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one common prefix led to."""

    percent: int
    """Of a prompt, that is the same in all."""
    hit_rate: float
    """Tokens that the server found in its cache, by its own counters, of those of the prompts."""
    ttft_seconds: float
    """Time to the first token, a median."""


def measure(endpoint: Endpoint, prompts: Prompts, percents: Sequence[int]) -> list[Found]:
    """Ask with one prompt after the other, each prefix in turn: what else the machine does then slows them all.

    The first prompt of each prefix fills the cache and is not measured.

    Raises:
        ClusterlabError: the server did not answer one.
    """
    lists = {percent: prompts.alike(percent) for percent in percents}
    for first, *_ in lists.values():
        _ask(endpoint, first)
    hits = dict.fromkeys(percents, 0.0)
    seconds: dict[int, list[float]] = {percent: [] for percent in percents}
    for number, percent in itertools.product(range(1, prompts.num_prompts + 1), percents):
        before = Counters.read(endpoint)
        seconds[percent].append(_ask(endpoint, lists[percent][number]))
        hits[percent] += Counters.read(endpoint).hits_since(before)
    asked = prompts.num_prompts * prompts.num_tokens
    return [
        Found(percent=percent, hit_rate=hits[percent] / asked, ttft_seconds=statistics.median(seconds[percent]))
        for percent in percents
    ]


def _ask(endpoint: Endpoint, prompt: Prompt) -> float:
    """The time to the answer's first token, in seconds."""
    (outcome,) = asyncio.run(closed(endpoint, [prompt], concurrency=1, limit_seconds=LIMIT_SECONDS))
    if outcome.ttft is None:
        raise ClusterlabError(f"{endpoint.url}: gave no answer to a prompt: {outcome.ending}, status {outcome.status}")
    return outcome.ttft
