"""Word problems in GSM8K's manner that the project makes from a seed, with a scratchpad in any order that works."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("Ana", "Leo", "Eva", "Sam", "Mia", "Ben", "Zoe", "Tom")
THINGS = ("pens", "coins", "cards", "books", "shells", "stamps")
LARGEST = 9
"""Of a quantity."""
LARGEST_TOTAL = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class WordProblem:
    """One question, and what decides its answer."""

    text: str
    begin: int
    changes: Mapping[str, int]
    """By who made it, in the order in which it is told: what came (above 0) or went (below 0)."""

    @property
    def answer(self) -> int:
        """What is left."""
        return self.begin + sum(self.changes.values())


def make_problem(rng: random.Random, num_changes: int) -> WordProblem:
    """A problem whose total is never below zero, in the order in which it is told; `num_changes` is 1 to 8."""
    thing, begin = rng.choice(THINGS), rng.randint(2, LARGEST)
    changes: dict[str, int] = {}
    for name in rng.sample(NAMES, num_changes):
        total = begin + sum(changes.values())
        adds = total < 4 or (rng.random() < 0.5 and total + LARGEST <= LARGEST_TOTAL)
        changes[name] = rng.randint(2, LARGEST) if adds else -rng.randint(2, min(LARGEST, total - 1))
    told = ", ".join(f"{name} {_done(change)}" for name, change in changes.items())
    return WordProblem(text=f"A box has {begin} {thing}. {told}. How many {thing} now?", begin=begin, changes=changes)


def make_problems(num: int, *, num_changes: tuple[int, int], seed: int) -> list[WordProblem]:
    """Different problems, each with a number of changes in this range; the same for the same seed."""
    rng = random.Random(f"problems {seed}")
    found: dict[str, WordProblem] = {}
    while len(found) < num:
        problem = make_problem(rng, rng.randint(*num_changes))
        found.setdefault(problem.text, problem)
    return list(found.values())


def scratchpad(problem: WordProblem, rng: random.Random) -> str:
    """A running sum in the problem's words, ` 7, Leo adds 5 = 12, Eva takes 3 = 9`, in a drawn order.

    In that no total falls below zero or grows too large. So a model learns many ways to one answer, and errs
    differently on each.
    """
    left, total = dict(problem.changes), problem.begin
    text = f" {total}"
    while left:
        name = rng.choice([name for name, change in left.items() if 0 <= total + change <= LARGEST_TOTAL])
        change = left.pop(name)
        total += change
        text += f", {name} {_done(change)} = {total}"
    return text


def _done(change: int) -> str:
    return f"{'adds' if change > 0 else 'takes'} {abs(change)}"
