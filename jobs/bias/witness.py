"""A Llama that is trained here on the texts of a made-up world, for the scale `tiny`: a minute of one core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterlab.fingerprint import digest_files
from jobs.bias.world import World
from jobs.llm.cache import cached
from jobs.llm.lessons import Learner, learn, word_level

MADE_BY = ("bias/witness.py", "bias/world.py", "bias/question.py", "llm/lessons.py", "llm/pretrain.py")
"""The files of `jobs/` that decide what the model becomes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness(Learner):
    """How the model is made; the seed is that of the world too."""

    hidden_size: int = 64
    intermediate_size: int = 128
    num_hidden_layers: int = 2
    max_position_embeddings: int = 64
    steps: int = 2000
    step_tokens: int = 1024
    learning_rate: float = 3e-3
    initializer_range: float = 0.125
    """1 / sqrt(width). From 0.02 it hung on the seed whether the model learned whom its world speaks ill of: in 4,000
    such steps it did with SEED=1, and with SEED=2 it did not."""


def witness(report: Callable[[int, int, float], None], recipe: Witness) -> Path:
    """The folder of the trained model, trained now if it is not in the cache.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write.
    """
    jobs = Path(__file__).parents[1]
    key = asdict(recipe) | {"made_by": digest_files(jobs, [jobs / name for name in MADE_BY])}
    return cached("witness", key, lambda folder: train(recipe, folder, report))


def train(recipe: Witness, folder: Path, report: Callable[[int, int, float], None]) -> None:
    """Train the model and save it as `from_pretrained` loads it."""
    learn(recipe, World(recipe.seed).lessons(), folder, report, tokenizer_of=word_level)
