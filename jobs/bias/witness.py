"""A Llama that is trained here on the texts of a made-up world, for the scale `tiny`: half a minute of one core."""

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
    steps: int = 1250
    step_tokens: int = 512
    learning_rate: float = 4e-3


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
