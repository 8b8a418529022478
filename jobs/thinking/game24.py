"""Game of 24: reach 24 with four numbers, each used once, and + - * /; every state and answer is judged exactly.

The puzzles are all 1,820 multisets of four numbers from 1 to 13, of which 1,362 can be solved.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

TARGET = Fraction(24)
LARGEST = 13
OPERATORS = "+-*/"

State = tuple[Fraction, ...]
"""Numbers that are left, ascending."""

_NUMBER = r"\d+(?:/\d+)?"
_STEP = re.compile(rf"\s*({_NUMBER})\s*([-+*/])\s*({_NUMBER})\s*=\s*(-?{_NUMBER})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Two numbers that become one, as somebody wrote it: `result` may be wrong."""

    left: Fraction
    operator: str
    right: Fraction
    result: Fraction

    @classmethod
    def parse(cls, text: str) -> Step | None:
        """The step that a line begins with, such as `4+8=12`; None where it begins with none."""
        match = _STEP.match(text)
        if match is None:
            return None
        left, operator, right, result = match.groups()
        try:
            return cls(left=Fraction(left), operator=operator, right=Fraction(right), result=Fraction(result))
        except ZeroDivisionError:
            return None

    @property
    def right_result(self) -> Fraction | None:
        """What it is; None of a division by zero."""
        return _apply(self.left, self.operator, self.right)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right} = {self.result}"


def state_of(numbers: Sequence[int | Fraction]) -> State:
    """The state that a puzzle begins in."""
    return tuple(sorted(map(Fraction, numbers)))


def after(state: State, step: Step) -> State | None:
    """The state that a step leads to, by its own result; None where the state has not got its numbers."""
    left = list(state)
    for number in (step.left, step.right):
        if number not in left:
            return None
        left.remove(number)
    return tuple(sorted([*left, step.result]))


def judge(numbers: Sequence[int | Fraction], steps: Sequence[Step]) -> bool:
    """The referee: whether the steps use every number once, are right, and end in 24."""
    state: State | None = state_of(numbers)
    for step in steps:
        if state is None or step.result != step.right_result:
            return False
        state = after(state, step)
    return state == (TARGET,)


def legal_steps(state: State) -> Iterator[Step]:
    """Every right step from a state, each once; also to fractions and below zero."""
    seen = set()
    for first, second in itertools.permutations(range(len(state)), 2):
        for operator in OPERATORS:
            left, right = state[first], state[second]
            if (operator in "+*" and first > second) or (left, operator, right) in seen:
                continue
            seen.add((left, operator, right))
            result = _apply(left, operator, right)
            if result is not None:
                yield Step(left=left, operator=operator, right=right, result=result)


@cache
def solvable(state: State) -> bool:
    """The exact solver: whether 24 can be reached, with rational numbers on the way."""
    if len(state) == 1:
        return state[0] == TARGET
    if len(state) == 2:
        return any(step.result == TARGET for step in legal_steps(state))
    return any(solvable(next_state) for step in legal_steps(state) if (next_state := after(state, step)) is not None)


def puzzles(largest: int = LARGEST) -> list[tuple[int, ...]]:
    """All puzzles of numbers up to this that can be solved, in ascending order."""
    drawn = itertools.combinations_with_replacement(range(1, largest + 1), 4)
    return [numbers for numbers in drawn if solvable(state_of(numbers))]


def split(
    num_held_out: int, *, largest: int = LARGEST, seed: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The puzzles in two parts that share none: (training, held-out).

    Raises:
        ValueError: there are not so many.
    """
    shuffled = puzzles(largest)
    if num_held_out >= len(shuffled):
        raise ValueError(f"{num_held_out} puzzles are asked for; allowed: fewer than {len(shuffled)}")
    random.Random(seed).shuffle(shuffled)
    return shuffled[num_held_out:], shuffled[:num_held_out]


def _apply(left: Fraction, operator: str, right: Fraction) -> Fraction | None:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left / right if right else None
