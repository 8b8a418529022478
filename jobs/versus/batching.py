"""How answers of different lengths fill the slots of a batch: static batching, and continuous batching.

A static batch is over when its longest answer is, and a slot whose answer was shorter computes for nothing meanwhile.
Continuous batching (Orca, Yu et al., 2022) gives a slot to the next request at once.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Which part of the slots wrote tokens that somebody asked for, step by step."""

    num_slots: int
    busy: tuple[int, ...]
    """Useful slots of each step."""

    @property
    def num_steps(self) -> int:
        """Forward passes, each of which writes a token in every slot."""
        return len(self.busy)

    @property
    def useful(self) -> float:
        """The share of the slots, over all steps, whose token was asked for."""
        return sum(self.busy) / (self.num_slots * self.num_steps)


def static_schedule(lengths: Sequence[int], num_slots: int) -> Schedule:
    """Batch after batch in the order of the requests; nobody knows beforehand how long an answer gets."""
    busy: list[int] = []
    for batch in batches(lengths, num_slots):
        busy += (sum(length > step for length in batch) for step in range(max(batch)))
    return Schedule(num_slots=num_slots, busy=tuple(busy))


def continuous_schedule(lengths: Sequence[int], num_slots: int) -> Schedule:
    """Each request begins in the slot that is free first."""
    free = [0] * num_slots
    spans = []
    for length in lengths:
        begin = heapq.heappop(free)
        spans.append((begin, begin + length))
        heapq.heappush(free, begin + length)
    changes = [0] * (max(free) + 1)
    for begin, end in spans:
        changes[begin] += 1
        changes[end] -= 1
    return Schedule(num_slots=num_slots, busy=tuple(itertools.accumulate(changes[:-1])))


def batches(values: Sequence[T], num_slots: int) -> list[Sequence[T]]:
    """The static batches of these; the last may be smaller."""
    return [values[start : start + num_slots] for start in range(0, len(values), num_slots)]
