"""Requests that the project makes, each with the plan, the models and the answers that are right."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobs.experts import images
from jobs.experts.cards import INVERTED, SENTENCES, WORDS, best
from jobs.experts.chains import ENGLISH_TEXT, FEELING, FORM, NUMBER, SENTENCE, VALUES, Chain, chains
from jobs.experts.examples import SIMILARITY, alike
from jobs.experts.plan import Plan, Step
from jobs.experts.sentences import ENGLISH, Sentence, sentences
from jobs.experts.tasks import SAME, Kind

OPENINGS = ("Tell me {x}.", "Find out {x}.", "I want to know {x}.", "Please say {x}.")
COMPARED = ("whether {a} and {b} are the same", "if {a} agrees with {b}", "whether {a} equals {b}")
BOTH = ("{a}, and then {b}", "{a} and also {b}", "first {a}, second {b}")
ROUGHLY = ("Roughly: ", "A quick guess: ")
"""Before a request for a rough answer."""
QUICK = 0.3
"""Share of such requests."""
NEW = 4
"""Of so many combinations of chains and phrases one is in no lesson."""


class Shape(StrEnum):
    """Of a plan."""

    SINGLE = "single"
    """One step."""
    SEQUENTIAL = "sequential"
    """Each step takes the answer of the one before."""
    GRAPH = "graph"
    """Two branches, which a last step may compare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """What a request gives."""

    kind: Kind
    value: Any
    """A text, or an image of jobs/experts/images.py."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked, and what is right."""

    text: str
    resources: Mapping[str, Resource]
    plan: Plan
    models: Mapping[int, str]
    """By the step's id."""
    answers: tuple[str, ...]
    """Of the steps that no other takes the answer of."""
    shape: Shape
    new: bool
    """Whether its combination of chains or phrases is in no lesson."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """Of the resources."""
        return {name: resource.kind for name, resource in self.resources.items()}


def make_requests(num: int, *, seed: int) -> list[Request]:
    """So many of each shape, half of them new; their sentences are those that no model was trained on."""
    rng = random.Random(f"requests {seed}")
    return [
        make_request(rng, shape, new=number % 2 == 1, drawn=True, held_out=True)
        for shape in Shape
        for number in range(num)
    ]


def make_request(rng: random.Random, shape: Shape, *, new: bool, drawn: bool, held_out: bool) -> Request:
    """One request; without `drawn` its images are left out, as a lesson does not need them."""
    while True:
        draft = _Draft(rng=rng, drawn=drawn, held_out=held_out)
        text = draft.graph() if shape is Shape.GRAPH else draft.chain(shape)
        if draft.new is new:
            return Request(
                text=text,
                resources=draft.resources,
                plan=Plan(steps=tuple(draft.steps)),
                models=draft.models,
                answers=tuple(draft.answers),
                shape=shape,
                new=new,
            )


class _Draft:
    """A request while it is made."""

    def __init__(self, *, rng: random.Random, drawn: bool, held_out: bool) -> None:
        self._rng, self._drawn = rng, drawn
        self._sentences = sentences(held_out=held_out)
        self._quick = rng.random() < QUICK
        self._numbers = iter(rng.sample(range(1, 10), 2))
        self.resources: dict[str, Resource] = {}
        self.steps: list[Step] = []
        self.models: dict[int, str] = {}
        self.answers: list[str] = []
        self.new = False

    def chain(self, shape: Shape) -> str:
        """One chain alone."""
        every = [chain for value in VALUES for chain in chains(value)]
        chain = self._rng.choice([each for each in every if (len(each.steps) == 1) is (shape is Shape.SINGLE)])
        phrase, _ = self._add(chain, content := self._content(chain))
        self.answers = [_answer(chain, content)]
        return self._asked(phrase)

    def graph(self) -> str:
        """Two chains, to be compared or one after the other."""
        if self._rng.random() < 0.5:
            first, second = (self._rng.choice(chains(self._rng.choice(VALUES))) for _ in range(2))
            contents = self._content(first), self._content(second)
            (a, _), (b, _) = self._branches("both", (first, second), contents)
            self.answers = list(map(_answer, (first, second), contents))
            return self._asked(self._rng.choice(BOTH).format(a=a, b=b))
        value = self._rng.choice(VALUES)
        first = self._rng.choice(chains(value))
        second = self._rng.choice([*chains(value), ENGLISH_TEXT] if value == SENTENCE else chains(value))
        content = self._content(first)
        other = self._alike(content) if self._rng.random() < 0.4 else self._content(second)
        (a, text), (b, text2) = self._branches("same", (first, second), (content, other))
        self._step(SAME, SENTENCES if value == SENTENCE else WORDS, {"text": text, "text2": text2})
        self.answers = [SIMILARITY[_compared(first, content) != _compared(second, other)]]
        return self._asked(self._rng.choice(COMPARED).format(a=a, b=b))

    def _branches(
        self, form: str, pair: tuple[Chain, Chain], contents: tuple[str | Sentence, str | Sentence]
    ) -> list[tuple[str, str | int]]:
        """The phrase for each chain, and what holds its value."""
        self._mark(form, *pair)
        return [self._add(chain, content) for chain, content in zip(pair, contents, strict=True)]

    def _content(self, chain: Chain) -> str | Sentence:
        if chain.value in (FORM, NUMBER):
            return self._rng.choice(images.SHAPES if chain.value == FORM else images.COUNTS)
        return self._rng.choice(self._sentences)

    def _alike(self, content: str | Sentence) -> str | Sentence:
        return content if isinstance(content, str) else alike(content, self._sentences, self._rng)

    def _add(self, chain: Chain, content: str | Sentence) -> tuple[str, str | int]:
        """The phrase for a chain, and the step or the resource that holds its value."""
        name = f"{chain.given}-{next(self._numbers)}"
        value: Any = content.text(chain.language) if isinstance(content, Sentence) else None
        if chain.given is Kind.IMAGE:
            value = self._image(chain, content) if self._drawn else None
        self.resources[name] = Resource(kind=chain.given, value=value)
        phrase, drawn = chain.phrase(name, self._rng)
        self._mark("chain", chain, drawn)
        place: str | int = name
        for task, domain in chain.steps:
            kind = Kind.TEXT if isinstance(place, int) else chain.given
            place = self._step(task, domain, {str(kind): place})
        return phrase, place

    def _image(self, chain: Chain, content: str | Sentence) -> Any:
        if isinstance(content, Sentence):
            return images.sign(content.words(chain.language), chain.domain, self._rng)
        draw = images.shape if chain.value == FORM else images.objects
        return draw(content, self._rng, negative=chain.domain == INVERTED)

    def _step(self, task: str, domain: str, args: dict[str, str | int]) -> int:
        number = len(self.steps)
        self.steps.append(Step(id=number, task=task, args=args))
        self.models[number] = best(task, domain, quick=self._quick)
        return number

    def _asked(self, phrase: str) -> str:
        opening = self._rng.choice(OPENINGS).format(x=phrase)
        return f"{self._rng.choice(ROUGHLY)}{opening}" if self._quick else opening

    def _mark(self, *combination: object) -> None:
        """Whether this combination is one that no lesson has: always the same ones."""
        self.new |= zlib.crc32(repr((*combination, self._quick)).encode()) % NEW == 0


def _answer(chain: Chain, content: str | Sentence) -> str:
    if isinstance(content, str):
        return content
    return content.mood if chain.value == FEELING else content.text(ENGLISH)


def _compared(chain: Chain, content: str | Sentence) -> object:
    """What decides whether two values are the same: of sentences, what they mean."""
    return content.meaning if isinstance(content, Sentence) and chain.value == SENTENCE else _answer(chain, content)
