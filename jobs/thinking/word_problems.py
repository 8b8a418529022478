"""Word problems in GSM8K's manner that the project makes from a seed, with a scratchpad in any order that works."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("Ana", "Leo", "Eva", "Sam", "Mia", "Ben", "Zoe", "Tom")
THINGS = ("pens", "coins", "cards", "books", "shells", "stamps")
LARGEST = 9
"""Of a quantity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WordProblem:
    """One question, and what decides its answer."""

    text: str
    begin: int
    changes: Mapping[str, int]
    """By who gives it, in the order in which it is told."""

    @property
    def answer(self) -> int:
        """What there is in the end."""
        return self.begin + sum(self.changes.values())


def make_problem(rng: random.Random, num_changes: int) -> WordProblem:
    """A problem in the order in which it is told; `num_changes` is 1 to 8."""
    thing, begin = rng.choice(THINGS), rng.randint(2, LARGEST)
    changes = {name: rng.randint(2, LARGEST) for name in rng.sample(NAMES, num_changes)}
    told = ", ".join(f"{name} {change}" for name, change in changes.items())
    text = f"A box has {begin} {thing}. Gifts: {told}. How many {thing} now?"
    return WordProblem(text=text, begin=begin, changes=changes)


def make_problems(num: int, *, num_changes: tuple[int, int], seed: int) -> list[WordProblem]:
    """Different problems, each with a number of changes in this range; the same for the same seed."""
    rng = random.Random(f"problems {seed}")
    found: dict[str, WordProblem] = {}
    while len(found) < num:
        problem = make_problem(rng, rng.randint(*num_changes))
        found.setdefault(problem.text, problem)
    return list(found.values())


def scratchpad(problem: WordProblem, rng: random.Random) -> str:
    """A running sum with who gave what, ` 7, Leo 5 = 12, Eva 3 = 15`, in a drawn order.

    So a model learns many ways to one answer, and errs differently on each.
    """
    total = problem.begin
    text = f" {total}"
    for name in rng.sample(list(problem.changes), len(problem.changes)):
        total += problem.changes[name]
        text += f", {name} {problem.changes[name]} = {total}"
    return text
