"""Where questions come from."""

from __future__ import annotations

from pathlib import Path

from jobs.bias.bbq import load_bbq
from jobs.bias.question import Question, sample
from jobs.bias.scenes import shipped_scenes
from jobs.bias.world import World

WORLD, SHIPPED = "world", "shipped"
MADE = (WORLD, SHIPPED)
"""`world`: of the world that is made up by the seed. `shipped`: the scenes of this package."""


def load_questions(source: str, num: int, *, seed: int) -> list[Question]:
    """Whole families in a drawn order until there are so many questions, or all that the source has.

    Raises:
        InputError: the source is a folder without BBQ's files, or with others.
    """
    if source == WORLD:
        return World(seed).questions(num)
    return sample(shipped_scenes() if source == SHIPPED else load_bbq(Path(source)), num, seed=seed)
