"""What may be asked of one thing that is given: the steps from it to a value, and the phrases that ask for it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from jobs.experts import images
from jobs.experts.cards import INVERTED, PLAIN
from jobs.experts.sentences import ENGLISH, LANGUAGES, MORU, TAVI
from jobs.experts.tasks import COUNT, MOOD, READ, SHAPE, TRANSLATE, Kind

FORM, NUMBER, SENTENCE, FEELING = VALUES = ("shape", "count", "sentence", "mood")
PHRASES = {
    SHAPE: ("the shape in {x}", "what form {x} shows", "the figure on {x}", "which shape {x} has"),
    COUNT: ("how many objects {x} has", "the number of things in {x}", "the count of {x}", "how much {x} holds"),
    READ: ("what {x} says", "the writing on {x}", "the words of {x}", "what is written on {x}"),
    TRANSLATE: ("what {x} means", "the English of {x}", "{x} in English", "a translation of {x}"),
    MOOD: ("the mood of {x}", "whether {x} is positive", "how {x} sounds", "the feeling of {x}"),
}
"""For the value of a step; each is used at its chain's end, and some in the middle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """From one thing that is given to one value."""

    value: str
    given: Kind
    domain: str
    """Of what is given: of a drawing plain or negative, of a sign its script; of a text nothing."""
    language: str = ""
    """Of a sign or a text."""

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Task and domain of each step, in order; none for an English text itself."""
        if self.value in (FORM, NUMBER):
            return [(SHAPE if self.value == FORM else COUNT, self.domain)]
        steps = [(READ, self.domain)] if self.given is Kind.IMAGE else []
        steps += [(TRANSLATE, self.language)] if self.language != ENGLISH else []
        return [*steps, (MOOD, ENGLISH)] if self.value == FEELING else steps

    def phrase(self, name: str, rng: random.Random) -> tuple[str, tuple[int, ...]]:
        """Words that ask for the value, and which of the phrases were drawn, from the last step to the first.

        Steps between what is given and the last are mostly not told: a mood of a Tavi text needs a translation.
        """
        told = self._noun(name)
        tasks = [task for task, _ in self.steps]
        if not tasks:
            return told, ()
        drawn = []
        if len(tasks) > 1 and tasks[-1] == MOOD and rng.random() < 0.4:
            number = rng.randrange(len(PHRASES[tasks[-2]]))
            told, drawn = PHRASES[tasks[-2]][number].format(x=told), [number]
        number = rng.randrange(len(PHRASES[tasks[-1]]))
        return PHRASES[tasks[-1]][number].format(x=told), (number, *drawn)

    def _noun(self, name: str) -> str:
        """What is given, with what a controller must know of it; what is usual is not told."""
        words = [self.language.capitalize()] if self.language not in ("", ENGLISH) else []
        words += ["negative"] if self.domain == INVERTED else []
        words += [f"{self.domain.removesuffix('s')} sign"] if self.domain in images.SCRIPTS else []
        return " ".join(["the", *words, name]) if words else name


@cache
def chains(value: str) -> tuple[Chain, ...]:
    """All that lead to a value."""
    return tuple(_chains(value))


def _chains(value: str) -> Iterator[Chain]:
    if value in (FORM, NUMBER):
        yield from (Chain(value=value, given=Kind.IMAGE, domain=domain) for domain in (PLAIN, INVERTED))
        return
    for script, language in itertools.product(images.SCRIPTS, LANGUAGES):
        yield Chain(value=value, given=Kind.IMAGE, domain=script, language=language)
    for language in LANGUAGES if value == FEELING else (TAVI, MORU):
        yield Chain(value=value, given=Kind.TEXT, domain="", language=language)


ENGLISH_TEXT = Chain(value=SENTENCE, given=Kind.TEXT, domain="", language=ENGLISH)
"""The sentence itself; it can only be compared."""
