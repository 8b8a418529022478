"""A Llama that is trained here to plan and to choose models, for the scale `tiny`: over three minutes of one core."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterlab.fingerprint import digest_files
from jobs.experts.plan import Plan, to_lines
from jobs.experts.requests import Shape, make_request
from jobs.llm.cache import cached
from jobs.llm.lessons import Learner, Lesson, learn

MADE_BY = (
    *("cards", "chains", "examples", "images", "plan", "planner", "requests", "sentences", "tasks"),
    *("../llm/lessons", "../llm/pretrain"),
)
"""The files, from this folder, that decide what the model becomes."""
SHARES = {Shape.SINGLE: 0.2, Shape.SEQUENTIAL: 0.25, Shape.GRAPH: 0.55}
"""Of the requests in lessons."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planner(Learner):
    """How the model is made."""

    steps: int = 1500


def planner(report: Callable[[int, int, float], None]) -> Path:
    """The folder of the trained model, trained now if it is not in the cache.

    `report` is called with step, steps and loss, which is in nats a token of what the model shall write.
    """
    here, recipe = Path(__file__).parent, Planner()
    key = asdict(recipe) | {"made_by": digest_files(here.parent, [(here / f"{name}.py").resolve() for name in MADE_BY])}
    return cached("planner", key, lambda folder: learn(recipe, lessons(recipe.seed), folder, report))


def lessons(seed: int) -> Iterator[Lesson]:
    """Lessons without end: a request's plan, then the model of one of its steps; no combination of them is new."""
    rng = random.Random(f"lessons {seed}")
    shapes, weights = list(SHARES), list(SHARES.values())
    while True:
        shape = rng.choices(shapes, weights)[0]
        request = make_request(rng, shape, new=False, drawn=False, held_out=False)
        yield plan_prompt(request.text), to_lines(request.plan).rstrip()
        number = rng.choice(list(request.models))
        yield model_prompt(request.text, request.plan, number), f" {request.models[number]}"


def plan_prompt(text: str) -> str:
    """What is written behind it is a plan in the short form."""
    return f"{text}\nPlan:\n"


def model_prompt(text: str, plan: Plan, number: int) -> str:
    """What is written behind it is the name of the model for step `number`."""
    return f"{text}\nPlan:\n{to_lines(plan)}Model {number}:"
