"""A Llama that is trained here to think in small steps, for the scale `tiny`: five minutes of one core."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.llm.cache import cached
from jobs.llm.lessons import Learner, learn, word_level
from jobs.thinking import game24
from jobs.thinking.lessons import lessons

MADE_BY = (
    *("thinking/reasoner.py", "thinking/lessons.py", "thinking/game24.py", "thinking/word_problems.py"),
    *("llm/lessons.py", "llm/pretrain.py"),
)
"""The files of `jobs/` that decide what the model becomes."""
LARGEST_NUMBER = 100
"""That is a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoner(Learner):
    """How the model is made."""

    steps: int = 3000
    step_tokens: int = 1536
    max_changes: int = 8
    """Of word problems."""
    largest: int = 9
    """Number of a puzzle."""
    num_held_out: int = 100
    """Puzzles that no lesson is about."""


def reasoner(report: Callable[[int, int, float], None], recipe: Reasoner | None = None) -> Path:
    """The folder of the trained model, trained now if it is not in the cache.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write.
    """
    recipe = recipe or Reasoner()
    jobs = Path(__file__).parents[1]
    key = asdict(recipe) | {"made_by": digest_files(jobs, [jobs / name for name in MADE_BY])}
    return cached("reasoner", key, lambda folder: train(recipe, folder, report))


def train(recipe: Reasoner, folder: Path, report: Callable[[int, int, float], None]) -> None:
    """Train the model and save it as `from_pretrained` loads it."""
    puzzles, _ = game24.split(recipe.num_held_out, largest=recipe.largest, seed=recipe.seed)
    taught = lessons(puzzles, max_changes=recipe.max_changes, seed=recipe.seed)
    learn(recipe, taught, folder, report, tokenizer_of=_tokenizer)


def _tokenizer(texts: Iterable[str]) -> Any:
    """Its tokens are the words and signs of the lessons, and whole numbers: few, so that the model is all thinking."""
    return word_level(itertools.chain(texts, (f" {number}" for number in range(LARGEST_NUMBER + 1))))
