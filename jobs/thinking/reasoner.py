"""A Llama that is trained here to think in small steps, for the scale `tiny`: two minutes of one core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterlab.fingerprint import digest_files
from jobs.llm.cache import cached
from jobs.llm.lessons import Learner, learn
from jobs.thinking import game24
from jobs.thinking.lessons import lessons

MADE_BY = (
    *("thinking/reasoner.py", "thinking/lessons.py", "thinking/game24.py", "thinking/word_problems.py"),
    *("llm/lessons.py", "llm/pretrain.py"),
)
"""The files of `jobs/` that decide what the model becomes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoner(Learner):
    """How the model is made."""

    steps: int = 1700
    max_changes: int = 6
    """Of word problems."""
    num_held_out: int = 200
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
    puzzles, _ = game24.split(recipe.num_held_out, seed=recipe.seed)
    learn(recipe, lessons(puzzles, max_changes=recipe.max_changes, seed=recipe.seed), folder, report)
