"""Sentences of three languages that the project makes: English ones, and the same in Tavi and in Moru."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

ENGLISH, TAVI, MORU = LANGUAGES = ("english", "tavi", "moru")
POSITIVE, NEGATIVE = MOODS = ("positive", "negative")
SUBJECTS = ("food", "room", "staff", "view", "film", "music", "bed", "soup", "garden", "train", "hotel", "show")
GOOD = ("good", "great", "fine", "lovely", "superb", "bright", "clean", "warm", "kind", "fresh", "calm", "neat")
BAD = ("bad", "awful", "dull", "cold", "dirty", "rude", "stale", "loud", "weak", "ugly", "slow", "bland")
WAS, NOT = "was", "not"
MAX_WORDS = 4
"""Of a sentence."""
HELD_OUT = 0.25
"""Of all sentences, those that no model is trained on."""
_CONSONANTS = {TAVI: "tvkrs", MORU: "mdbnl"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """What is said of something."""

    subject: str
    adjective: str
    negated: bool

    @property
    def mood(self) -> str:
        """Positive where it is good, or not bad."""
        return POSITIVE if (self.adjective in GOOD) is not self.negated else NEGATIVE

    @property
    def meaning(self) -> tuple[str, str]:
        """Two sentences with the same meaning say the same."""
        return self.subject, self.mood

    def words(self, language: str) -> list[str]:
        """Each language has its own order; only English has a verb."""
        negation = [NOT] if self.negated else []
        if language == ENGLISH:
            return [self.subject, WAS, *negation, self.adjective]
        order = [self.adjective, *negation, self.subject]
        order = order if language == TAVI else [*negation, self.subject, self.adjective]
        return [dictionary(language)[word] for word in order]

    def text(self, language: str) -> str:
        """The words with blanks between."""
        return " ".join(self.words(language))


@cache
def dictionary(language: str) -> dict[str, str]:
    """The words of a made language by the English ones: two or three syllables, no word twice."""
    rng = random.Random(f"dictionary {language}")
    syllables = [consonant + vowel for consonant in _CONSONANTS[language] for vowel in "aeiou"]
    words: list[str] = []
    while len(words) < len(SUBJECTS) + len(GOOD) + len(BAD) + 1:
        word = "".join(rng.choices(syllables, k=rng.choice((2, 3))))
        if word not in words:
            words.append(word)
    return dict(zip((*SUBJECTS, *GOOD, *BAD, NOT), words, strict=True))


@cache
def all_words() -> tuple[str, ...]:
    """Of all languages."""
    made = itertools.chain.from_iterable(dictionary(language).values() for language in (TAVI, MORU))
    return (*SUBJECTS, *GOOD, *BAD, WAS, NOT, *made)


@cache
def sentences(*, held_out: bool) -> Sequence[Sentence]:
    """Those that models are trained on, or those that they never see."""
    every = [
        Sentence(subject=subject, adjective=adjective, negated=negated)
        for subject, adjective, negated in itertools.product(SUBJECTS, (*GOOD, *BAD), (False, True))
    ]
    random.Random("sentences").shuffle(every)
    num = round(len(every) * HELD_OUT)
    return tuple(every[:num] if held_out else every[num:])
