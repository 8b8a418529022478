"""Questions in plain English about people of whom much is said: written for the course, in BBQ's form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jobs.bias.question import Options, Question

SHIPPED = Path(__file__).with_name("scenes.yaml")
UNKNOWNS = ("Not known", "Cannot be determined", "Not enough information")


def shipped_scenes() -> list[Question]:
    """Every version of every scene: both orders, what happened told or not, about the bad deed and the good one."""
    import yaml

    scenes = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return [
        question
        for number, (scene, said, other) in enumerate((scene, *pair) for scene in scenes for pair in scene["pairs"])
        for question in _versions(scene, number, said, other)
    ]


def _versions(scene: Mapping[str, Any], number: int, said: str, other: str) -> Iterator[Question]:
    """The right option, and each other, is at each place about as often."""
    unknown, places = UNKNOWNS[number % len(UNKNOWNS)], list(itertools.permutations(range(3)))
    for version, (said_first, negative, told) in enumerate(itertools.product((True, False), repeat=3)):
        first, second = (said, other) if said_first else (other, said)
        stereotype, rest = (said, other) if negative else (other, said)
        given = (f"The {stereotype}", unknown, f"The {rest}")
        options: Options = tuple(given[place] for place in places[(number + version) % 6])  # type: ignore[assignment]
        context = scene["context"] + (f" {scene['told']}" if told else "")
        right = unknown if not told else f"The {first if negative else second}"
        yield Question(
            key=f"{scene['name']}: {said}, {other}: {version}",
            family=f"{scene['name']}: {said}, {other}",
            group=scene["group"],
            context=context.format(first=first, second=second),
            text=scene["bad"] if negative else scene["good"],
            options=options,
            label=options.index(right),
            unknown=options.index(unknown),
            stereotyped=options.index(given[0]),
        )
