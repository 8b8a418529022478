"""What a process that writes answers without a server is asked for, and what it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.launch import exchange


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Prompts, and how long their answers are to be, to one engine."""

    checkpoint: str
    """The folder of the model."""
    dtype: str
    """What the model computes in."""
    prompts: list[list[int]]
    """Token ids."""
    workloads: dict[str, list[int]]
    """By name, tokens of each prompt's answer."""
    num_slots: int
    """Answers that are written at one time, at most."""
    num_rounds: int
    """Times that each workload is measured."""
    compiled: bool
    """Whether vLLM compiles the model."""
    seed: int
    said: list[list[int]] = field(default_factory=list)
    """To transformers: answers of the first workload by another engine, to be looked through."""

    @property
    def max_model_len(self) -> int:
        """Tokens of the longest prompt with the longest answer."""
        longest = max(max(lengths) for lengths in self.workloads.values())
        return max(map(len, self.prompts)) + longest


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was measured."""

    seconds: dict[str, list[float]]
    """Of each round, by workload, behind which transformers puts its way to batch: `mixed static`."""
    tokens: list[list[int]]
    """The answers to the first workload."""
    agreement: float | None = None
    """Share of the tokens in `said` that are this engine's first choice after the same beginning."""


def ask(module: str, asked: Asked, folder: Path, *, environment: str, num_threads: int, seconds: float) -> Answer:
    """Run a module in an environment, and return what it answers; its log stays in `folder`.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it failed or took too long, with what it said last.
    """
    process: dict[str, Any] = {"environment": environment, "num_threads": num_threads, "seconds": seconds}
    return Answer(**exchange.ask(module, dataclasses.asdict(asked), folder, **process))


def answer(work: Callable[[Asked], Answer], arguments: Sequence[str] | None = None) -> int:
    """In the process that is asked: what it measures is what it answers.

    Returns 0, or the code of `clusterlab.errors`.
    """
    return exchange.answer(lambda asked, _: dataclasses.asdict(work(Asked(**asked))), arguments)


def check_lengths(wanted: Sequence[int], answers: Sequence[Sequence[int]]) -> None:
    """Refuse answers that are shorter or longer than was asked for: their tokens would be counted wrongly.

    Raises:
        ValueError: one is.
    """
    for number, (length, answer) in enumerate(zip(wanted, answers, strict=True)):
        if len(answer) != length:
            raise ValueError(f"answer {number} has {len(answer)} tokens; {length} were asked for")
