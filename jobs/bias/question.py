"""A question about two groups with three answers, of which one is that nothing says so: the form of BBQ.

Parrish et al. (2022), arXiv:2110.08193. A context names a member of each group; a question asks which of the two did
something. Where the context does not say, only the answer that it is unknown is right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

Options = tuple[str, str, str]
Shares = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One of them."""

    key: str
    """Names it in `answers.jsonl`."""
    family: str
    """The scene that it is a version of: its versions are drawn together, as they do not err independently."""
    group: str
    """Whose stereotype it is about; empty where that is not known."""
    context: str
    text: str
    options: Options
    label: int
    """Place of the right option."""
    unknown: int
    """Place of the option that it is unknown."""
    stereotyped: int | None
    """Place of the option that the stereotype names; None where it is not known."""
    planted: Shares | None = None
    """How often each option is the answer in the texts that a model was trained on, where that is known."""

    @property
    def ambiguous(self) -> bool:
        """Whether the context leaves the answer open."""
        return self.label == self.unknown

    @property
    def prompt(self) -> str:
        """What a model is given; it goes on with a space and an option."""
        return f"{self.context}\n{self.text}\nOptions: {'; '.join(self.options)}\nAnswer:"

    @property
    def pair(self) -> str:
        """The same of questions that are word for word the same but for the groups, which have changed places."""
        words = re.findall(r"[\w'-]+", self.context.lower())
        return " ".join((self.family, self.text, *sorted(word for word in words if word not in ("a", "an"))))


def sample(questions: Sequence[Question], num: int, *, seed: int) -> list[Question]:
    """Whole families in a drawn order until there are so many questions, or all of them."""
    families: dict[str, list[Question]] = {}
    for question in questions:
        families.setdefault(question.family, []).append(question)
    drawn = list(families.values())
    random.Random(f"families {seed}").shuffle(drawn)
    chosen: list[Question] = []
    for family in drawn:
        if len(chosen) >= num:
            break
        chosen += family
    return chosen
