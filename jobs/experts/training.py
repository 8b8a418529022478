"""The specialised models are trained here, on what the project makes: half a minute of one core for all of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.experts.cards import EXPERTS, Expert
from jobs.experts.examples import examples
from jobs.llm.cache import cached

MADE_BY = ("cards", "examples", "images", "networks", "sentences", "specialist", "tasks", "training")
"""The files beside this one that decide what the models become."""
CARDS = "cards.json"
NUM_EXAMPLES, NUM_JUDGED = 3000, 400
"""That a model is trained on, and that it is judged by."""
BATCH_SIZE, LEARNING_RATE = 64, 5e-3


def trained_experts(report: Callable[[int, int, float], None]) -> Path:
    """The folder of all models with their cards, trained now if it is not in the cache.

    `report` is called after each with its number, how many there are, and the share of unseen examples that is right.
    """
    here = Path(__file__).parent
    key = {"made_by": digest_files(here, [here / f"{name}.py" for name in MADE_BY])}
    return cached("experts", key, lambda folder: train_all(folder, EXPERTS, report))


def train_all(folder: Path, experts: Mapping[str, Expert], report: Callable[[int, int, float], None]) -> None:
    """Train and judge each, and save it with what its card says."""
    cards = {}
    for number, (name, expert) in enumerate(experts.items(), 1):
        cards[name] = train(expert, folder)
        report(number, len(experts), cards[name]["accuracy"])
    (folder / CARDS).write_text(json.dumps(cards, indent=2))


def train(expert: Expert, folder: Path) -> dict[str, float]:
    """Train one model and save it; returns its accuracy on unseen examples and its number of parameters."""
    import torch
    from safetensors.torch import save_file

    from jobs.experts.specialist import Specialist

    torch.manual_seed(0)
    rng = random.Random(f"train {expert.name}")
    specialist = Specialist(expert)
    _fit(specialist, expert, rng)
    specialist.network.eval()
    inputs, answers = zip(*examples(expert, NUM_JUDGED, rng, held_out=True), strict=True)
    right = sum(said == answer for said, answer in zip(specialist.answers(inputs), answers, strict=True))
    save_file(specialist.network.state_dict(), folder / f"{expert.name}.safetensors")
    num_parameters = sum(parameter.numel() for parameter in specialist.network.parameters())
    return {"accuracy": right / NUM_JUDGED, "num_parameters": num_parameters}


def read_cards(folder: Path) -> dict[str, dict[str, float]]:
    """What `train` returned, by name."""
    cards: dict[str, dict[str, float]] = json.loads((folder / CARDS).read_text())
    return cards


def _fit(specialist: Any, expert: Expert, rng: random.Random) -> None:
    """Adam on batches that are drawn from the examples."""
    import torch
    from torch.nn.functional import cross_entropy

    inputs, answers = zip(*examples(expert, NUM_EXAMPLES, rng, held_out=False), strict=True)
    given, wanted = specialist.encode(inputs), specialist.targets(answers)
    optimizer = torch.optim.Adam(specialist.network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=expert.steps, pct_start=0.1)
    for _ in range(expert.steps):
        rows = torch.randint(len(given), (BATCH_SIZE,))
        logits = specialist.network(given[rows])
        cross_entropy(logits.flatten(0, -2), wanted[rows].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
