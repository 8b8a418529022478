"""What a picture is asked: which shape, which colour, how many, and on which side; each has one right answer."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from jobs.experts.images import COUNTS, SHAPES
from jobs.llm.lessons import Lesson
from jobs.vision.scenes import COLOURS, MOST, Scene, Style, Thing, make_scene

SIDES = ("left", "right")


class Kind(StrEnum):
    """What is asked for."""

    SHAPE = "shape"
    COLOUR = "colour"
    COUNT = "count"
    SIDE = "side"


OPTIONS = {Kind.SHAPE: SHAPES, Kind.COLOUR: tuple(COLOURS), Kind.COUNT: COUNTS[:MOST], Kind.SIDE: SIDES}
"""The answers that there are to a kind of question."""
ALSO = {str(number): word for number, word in enumerate(COUNTS, 1)} | {"plus": "cross"}
"""Other words for an answer, which a model that was not trained here may know better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question about a picture."""

    kind: Kind
    text: str
    answer: str
    small: bool | None
    """Whether the thing that is asked for is small; None where it is all of them."""

    @property
    def options(self) -> tuple[str, ...]:
        """The answers that there are."""
        return OPTIONS[self.kind]

    @property
    def instructed(self) -> str:
        """The question for a model that was not trained on it: with how to answer."""
        return f"{self.text} Answer with one word: {', '.join(self.options[:-1])} or {self.options[-1]}."

    def said(self, text: str) -> str | None:
        """Which of its answers a text says; None where it says none, or several."""
        words = (ALSO.get(word, word) for word in re.findall(r"\w+", text.lower()))
        found = {word for word in words if word in self.options}
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A picture and what it is asked."""

    scene: Scene
    question: Question


def questions_of(scene: Scene) -> list[Question]:
    """All that can be asked of a picture."""
    shapes = Counter(thing.shape for thing in scene.things)
    count = COUNTS[len(scene.things) - 1]
    found = [Question(kind=Kind.COUNT, text="How many things are there?", answer=count, small=None)]
    for thing in scene.things:
        found += [_shape(thing), _side(thing, scene)]
        found += [_colour(thing)] if shapes[thing.shape] == 1 else []
    return found


def description_of(scene: Scene) -> Lesson:
    """What is on a picture, from its top down, in words that a model learns to see by."""
    things = sorted(scene.things, key=lambda thing: thing.row)
    said = (f"{thing.colour} {thing.shape} {_side_of(thing, scene)}" for thing in things)
    return "What is there?", ", ".join(said)


def make_problems(num: int, style: Style, *, seed: int) -> list[Problem]:
    """So many pictures with one question each, of every kind as many; so they are independent of each other."""
    rng, kinds = random.Random(f"problems {seed}"), list(Kind)
    return [next(_asked(rng, style, kinds[number % len(kinds)])) for number in range(num)]


def _asked(rng: random.Random, style: Style, kind: Kind) -> Iterator[Problem]:
    """Problems of a kind: a picture that cannot be asked for it is left out."""
    while True:
        scene = make_scene(rng, style)
        questions = [question for question in questions_of(scene) if question.kind is kind]
        if questions:
            yield Problem(scene=scene, question=rng.choice(questions))


def _shape(thing: Thing) -> Question:
    text = f"What shape is the {thing.colour} thing?"
    return Question(kind=Kind.SHAPE, text=text, answer=thing.shape, small=thing.small)


def _colour(thing: Thing) -> Question:
    text = f"What colour is the {thing.shape}?"
    return Question(kind=Kind.COLOUR, text=text, answer=thing.colour, small=thing.small)


def _side(thing: Thing, scene: Scene) -> Question:
    text = f"On which side is the {thing.colour} thing?"
    return Question(kind=Kind.SIDE, text=text, answer=_side_of(thing, scene), small=thing.small)


def _side_of(thing: Thing, scene: Scene) -> str:
    return SIDES[thing.column > scene.width / 2]
