"""What a specialised model is trained on, and what it is judged by: inputs with the right answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from jobs.experts import images
from jobs.experts.cards import INVERTED, SENTENCES, Expert
from jobs.experts.sentences import ENGLISH, LANGUAGES, MOODS, Sentence, sentences
from jobs.experts.tasks import COUNT, MOOD, READ, SAME, SHAPE, TRANSLATE

SIMILARITY = ("same", "different")
LABELS: dict[str, tuple[str, ...]] = {
    SHAPE: images.SHAPES,
    COUNT: images.COUNTS,
    MOOD: MOODS,
    SAME: SIMILARITY,
    READ: (),
    TRANSLATE: (),
}
"""The answers of a task; none where it answers in sentences."""

Example = tuple[tuple[Any, ...], str]
"""The arguments in the order of the task's, and the answer."""


def examples(expert: Expert, num: int, rng: random.Random, *, held_out: bool) -> list[Example]:
    """So many; of sentences those that are held out, or the others."""
    makers = {SHAPE: _shape, COUNT: _count, READ: _read, TRANSLATE: _translate, MOOD: _mood, SAME: _same}
    known = sentences(held_out=held_out)
    return [makers[expert.task](expert, rng, known) for _ in range(num)]


def alike(sentence: Sentence, known: Sequence[Sentence], rng: random.Random) -> Sentence:
    """A sentence with the same meaning, in other words where there is one."""
    others = [other for other in known if other.meaning == sentence.meaning and other != sentence]
    return rng.choice(others or [sentence])


def _shape(expert: Expert, rng: random.Random, _: Sequence[Sentence]) -> Example:
    label = rng.choice(images.SHAPES)
    return (images.shape(label, rng, negative=INVERTED in expert.domains),), label


def _count(expert: Expert, rng: random.Random, _: Sequence[Sentence]) -> Example:
    label = rng.choice(images.COUNTS)
    return (images.objects(label, rng, negative=INVERTED in expert.domains),), label


def _read(expert: Expert, rng: random.Random, known: Sequence[Sentence]) -> Example:
    words = rng.choice(known).words(rng.choice(LANGUAGES))
    return (images.sign(words, expert.domains[0], rng),), " ".join(words)


def _translate(expert: Expert, rng: random.Random, known: Sequence[Sentence]) -> Example:
    sentence = rng.choice(known)
    return (sentence.text(rng.choice(expert.domains)),), sentence.text(ENGLISH)


def _mood(_: Expert, rng: random.Random, known: Sequence[Sentence]) -> Example:
    sentence = rng.choice(known)
    return (sentence.text(ENGLISH),), sentence.mood


def _same(expert: Expert, rng: random.Random, known: Sequence[Sentence]) -> Example:
    if SENTENCES in expert.domains:
        first = rng.choice(known)
        second = alike(first, known, rng) if rng.random() < 0.5 else rng.choice(known)
        equal = first.meaning == second.meaning
        return (first.text(ENGLISH), second.text(ENGLISH)), SIMILARITY[not equal]
    labels = rng.choice((images.SHAPES, images.COUNTS, MOODS))
    word, other = rng.choice(labels), rng.choice(labels)
    other = word if rng.random() < 0.4 else other
    return (word, other), SIMILARITY[word != other]
