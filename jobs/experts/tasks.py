"""What a step of a plan may be, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Of what is given, or of what a step gives."""

    IMAGE = "image"
    TEXT = "text"


SHAPE, COUNT, READ = "image-classification", "object-counting", "image-to-text"
TRANSLATE, MOOD, SAME = "translation", "text-classification", "sentence-similarity"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One of them. Every task gives a text."""

    description: str
    args: dict[str, Kind]
    """What it takes, by name."""


TASKS = {
    SHAPE: Task(description="names the shape in a drawing", args={"image": Kind.IMAGE}),
    COUNT: Task(description="says how many objects a drawing has, from one to five", args={"image": Kind.IMAGE}),
    READ: Task(description="reads the sentence on a sign, in its own language", args={"image": Kind.IMAGE}),
    TRANSLATE: Task(description="translates a sentence from Tavi or Moru to English", args={"text": Kind.TEXT}),
    MOOD: Task(description="says whether an English sentence is positive or negative", args={"text": Kind.TEXT}),
    SAME: Task(
        description="says whether two words, or two English sentences, mean the same or something different",
        args={"text": Kind.TEXT, "text2": Kind.TEXT},
    ),
}
