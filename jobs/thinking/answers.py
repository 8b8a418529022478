"""Numbers out of what a model wrote, and the vote of several answers (Wang et al., 2022)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

_MARK = re.compile(r"####|answer(?:\s+is)?\s*:?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def parse_answer(text: str) -> Fraction | None:
    """The first number behind the last `Answer:`, `the answer is` or `####`; where there is none, the last of the text.

    None where it has no number: such an answer counts as wrong.
    """
    behind = _NUMBER.search(text, [mark.end() for mark in _MARK.finditer(text)][-1]) if _MARK.search(text) else None
    found = behind.group() if behind else next(reversed(_NUMBER.findall(text)), None)
    return None if found is None else Fraction(found.replace(",", ""))


def majority(answers: Sequence[Fraction | None]) -> Fraction | None:
    """The answer that most gave, of several the one that came first; those without a number do not vote."""
    votes = Counter(answer for answer in answers if answer is not None)
    return votes.most_common(1)[0][0] if votes else None
