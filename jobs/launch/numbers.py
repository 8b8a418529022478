"""Numbers of an env, with commas between."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence


def number_problems(config: object, names: Iterable[str]) -> list[str]:
    """What is wrong with these fields of a Config, each of them growing whole numbers above 0."""
    problems = []
    for name in names:
        text = getattr(config, name)
        try:
            if not growing(parse_numbers(text)):
                problems.append(f"{name.upper()}={text}: each must be above the one before it")
        except ValueError as error:
            problems.append(f"{name.upper()}={text}: {error}")
    return problems


def parse_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 out of a comma-separated list.

    Raises:
        ValueError: one is none.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise ValueError("allowed: whole numbers above 0, with commas between")
    return numbers


def growing(numbers: Sequence[int]) -> bool:
    """Whether each is above the one before it."""
    return all(later > before for before, later in itertools.pairwise(numbers))
