"""What was tried on each problem, line by line: an attempt that is here is not made again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from clusterlab.run import append_line, read_lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One method on one problem."""

    method: str
    problem: int
    """Its number, from 0."""
    right: bool
    said: list[str]
    """What the model wrote that the answer was taken from; of a tree the steps."""
    prompt_tokens: int
    new_tokens: int
    requests: int
    seconds: float = 0.0
    """Since the attempt before it was over; all of a method together are the time that it took."""
    votes: list[bool] = field(default_factory=list)
    """Of self-consistency: whether the vote of the first 1, 2, 4, ... answers is right."""
    parsed: bool = True
    """Whether there was an answer in it."""


A = TypeVar("A", bound=Attempt)


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal(Generic[A]):
    """One file of JSON lines."""

    path: Path
    kind: type[A]
    """Of the attempts."""

    def add(self, attempt: A) -> None:
        """Write an attempt to the disk.

        Raises:
            StorageError: it cannot be written.
        """
        append_line(self.path, asdict(attempt))

    def of(self, method: str) -> dict[int, A]:
        """The attempts of a method by problem."""
        return {attempt.problem: attempt for attempt in self.all() if attempt.method == method}

    def all(self) -> list[A]:
        """Every attempt."""
        return [self.kind(**values) for values in read_lines(self.path)]
