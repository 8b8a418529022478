"""What a model is shown and asked, and its answer as a line of `answers.jsonl`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from clusterlab.errors import InputError, Problem
from jobs.experts.images import PAPER
from jobs.thinking.journal import Attempt
from jobs.vision import questions

OWN = "own"
"""The method of the reader's own pictures."""
SERVED = "served"
"""The method of vLLM, where transformers answers the views."""
QUESTIONS = "questions.jsonl"
"""In a folder of own pictures: a line a question, with `picture`, `question` and, where it is known, `answer`."""


class View(StrEnum):
    """How a picture is shown."""

    TILES = "tiles"
    """As it is: the base and its tiles."""
    ONE_TILE = "one_tile"
    """Reduced to the size of one tile: the tiles have nothing more to show than the base."""
    SWAPPED = "swapped"
    """Another picture in its place."""
    BLANK = "blank"
    """Nothing on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a model answered."""

    text: str
    prompt_tokens: int
    """With the picture's."""
    new_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered(Attempt):
    """One question, its answer, and whether it is right; `method` is how the picture was shown."""

    question: str
    answer: str | None
    """None where nobody knows it; then nothing is right."""
    kind: str = ""
    small: bool | None = None
    """Whether the thing that was asked for is small."""


class Posed(Protocol):
    """A picture and a question."""

    @property
    def text(self) -> str:
        """Of the question."""

    def picture(self) -> Any:
        """A PIL image."""

    def answered(self, method: str, number: int, said: Said) -> Answered:
        """What the answer comes to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A picture that the project made."""

    problem: questions.Problem
    other: questions.Problem
    """Whose picture is shown in its place, where they are swapped."""
    view: View
    tile: int
    """Pixels of a tile's side."""
    instructed: bool
    """Whether the model is told how to answer."""

    @property
    def text(self) -> str:
        """Of the question."""
        return self.problem.question.instructed if self.instructed else self.problem.question.text

    def picture(self) -> Any:
        """As the view has it."""
        from PIL import Image

        scene = self.problem.scene
        if self.view is View.BLANK:
            return Image.new("RGB", (scene.width, scene.height), (round(PAPER * 255),) * 3)
        if self.view is View.SWAPPED:
            return self.other.scene.draw()
        whole = scene.draw()
        return whole.resize((self.tile, self.tile)) if self.view is View.ONE_TILE else whole

    def answered(self, method: str, number: int, said: Said) -> Answered:
        """Right is only the one word that is, alone among the answers that there are."""
        question = self.problem.question
        found = question.said(said.text)
        asked = {"question": self.text, "answer": question.answer, "kind": question.kind, "small": question.small}
        return _answered(method, number, said, right=found == question.answer, parsed=found is not None, **asked)


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """A picture of the reader's."""

    path: Path
    text: str
    answer: str | None

    def picture(self) -> Any:
        """As it is in its file."""
        from PIL import Image

        with Image.open(self.path) as image:
            return image.convert("RGB")

    def answered(self, method: str, number: int, said: Said) -> Answered:
        """Right is what has the known answer's words one after the other."""
        right = self.answer is not None and f" {_words(self.answer)} " in f" {_words(said.text)} "
        return _answered(method, number, said, right=right, parsed=True, question=self.text, answer=self.answer)


def views_of(problems: list[questions.Problem], view: View, *, tile: int, instructed: bool) -> list[Posed]:
    """Every problem in one view."""
    others = [*problems[1:], problems[0]]
    return [
        Shown(problem=problem, other=other, view=view, tile=tile, instructed=instructed)
        for problem, other in zip(problems, others, strict=True)
    ]


def own_pictures(folder: Path) -> list[Posed]:
    """What is asked of the pictures of a folder.

    Raises:
        InputError: a line is none, or names a file that is no picture; every fault in one go.
    """
    found: list[Posed] = []
    problems = []
    for number, line in enumerate((folder / QUESTIONS).read_text().splitlines(), 1):
        try:
            found.append(_own(folder, line))
        except ValueError as error:
            problems.append(Problem(path=str(folder / QUESTIONS), key=f"line {number}", message=str(error)))
    if problems:
        raise InputError(problems)
    return found


def _own(folder: Path, line: str) -> Own:
    from PIL import Image, UnidentifiedImageError

    try:
        values = json.loads(line)
        name, text, answer = str(values["picture"]), str(values["question"]), values.get("answer")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        allowed = '{"picture": "a.png", "question": "What is this?", "answer": "a cat"}, of which answer may be missing'
        raise ValueError(f"{line!r:.80}; allowed: {allowed}") from error
    try:
        with Image.open(folder / name) as image:
            image.verify()
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"picture {name!r}: {error}; allowed: a file of the folder that is a picture") from error
    return Own(path=folder / name, text=text, answer=None if answer is None else str(answer))


def _answered(method: str, number: int, said: Said, **values: Any) -> Answered:
    values |= {"prompt_tokens": said.prompt_tokens, "new_tokens": said.new_tokens}
    return Answered(method=method, problem=number, said=[said.text], requests=1, **values)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
