"""Who plans and routes: a language model, rules of words, the right plan with any model, or all that is right."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jobs.experts.cards import EXPERTS, candidates
from jobs.experts.plan import Plan, PlanError, Step, checked
from jobs.experts.requests import Request
from jobs.experts.tasks import COUNT, MOOD, READ, SAME, SHAPE, TASKS, TRANSLATE, Kind
from jobs.experts.wording import Words
from jobs.thinking.client import Client, Reply

RIGHT, UNROUTED, KEYWORDS, MODEL = "right", "unrouted", "keywords", "model"
WORDS_OF = {
    SHAPE: ("shape", "form", "figure"),
    COUNT: ("count", "number", "how many"),
    READ: ("says", "writing", "written", "words"),
    TRANSLATE: ("English", "translation", "means"),
    MOOD: ("mood", "feeling", "positive"),
    SAME: ("same", "equals", "agrees"),
}
"""Words that name a task; a step that is wanted and not told has none."""
CHAINED = (READ, TRANSLATE, MOOD)
"""In the order in which one takes the answer of the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What a controller made of a request."""

    plan: Plan | None
    """None where what it wrote is no plan."""
    models: Mapping[int, str] = field(default_factory=dict)
    """By the step's id; a step is not here where what it wrote is no model for it."""
    problem: str = ""
    """Why there is no plan."""
    said: list[str] = field(default_factory=list)
    """By a language model, in the order of asking."""
    prompt_tokens: int = 0
    new_tokens: int = 0
    requests: int = 0


class Controller(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """Of the method in tables."""

    async def decide(self, request: Request) -> Decision:
        """The plan for a request, and the model for each of its steps.

        Raises:
            SpentError, UnreachableError, InputError: of a language model, as `Client.ask` does.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """What is known to be right: whatever fails then is a specialised model's fault."""

    name: str = RIGHT

    async def decide(self, request: Request) -> Decision:
        """The request's own."""
        return Decision(plan=request.plan, models=request.models)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrouted:
    """The right plan, and for each step any model for its task: what choosing is worth."""

    seed: int
    name: str = UNROUTED

    async def decide(self, request: Request) -> Decision:
        """Drawn by the text of the request."""
        rng = random.Random(f"{self.seed} {request.text}")
        models = {step.id: rng.choice(candidates(step.task)).name for step in request.plan.steps}
        return Decision(plan=request.plan, models=models)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keywords:
    """Rules: words of the request name tasks, and what a model is for."""

    max_steps: int
    name: str = KEYWORDS

    async def decide(self, request: Request) -> Decision:
        """No model is asked."""
        try:
            plan = checked(_by_words(request), request.kinds, self.max_steps)
        except PlanError as error:
            return Decision(plan=None, problem=str(error))
        return Decision(plan=plan, models={step.id: _model_by_words(step, request.text) for step in plan.steps})


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageModel:
    """HuggingGPT's first two stages: it is asked for a plan, and then for the model of each step."""

    client: Client
    words: Words
    cards: Mapping[str, Mapping[str, float]]
    """What each model measured, by name."""
    max_steps: int
    name: str = MODEL

    async def decide(self, request: Request) -> Decision:
        """One request for the plan, and one for each step that there are several models for; never more."""
        reply = await self.client.ask(self.words.plan(request))
        replies, models, problem = [reply], {}, ""
        try:
            plan: Plan | None = checked(self.words.steps(reply.texts[0]), request.kinds, self.max_steps)
        except PlanError as error:
            plan, problem = None, str(error)
        if plan is not None:
            chosen = await asyncio.gather(*(self._choose(request, plan, step) for step in plan.steps))
            replies += [answer for answer, _ in chosen]
            models = {step.id: name for step, (_, name) in zip(plan.steps, chosen, strict=True) if name is not None}
        return Decision(
            plan=plan,
            models=models,
            problem=problem,
            said=[each.texts[0] for each in replies],
            prompt_tokens=sum(each.prompt_tokens for each in replies),
            new_tokens=sum(each.new_tokens for each in replies),
            requests=len(replies),
        )

    async def _choose(self, request: Request, plan: Plan, step: Step) -> tuple[Reply, str | None]:
        experts = candidates(step.task)
        cards = [(expert, self.cards[expert.name]) for expert in experts]
        reply = await self.client.ask(self.words.model(request, plan, step, cards))
        return reply, self.words.name(reply.texts[0], [expert.name for expert in experts])


def _by_words(request: Request) -> list[Step]:
    """To all that is given, every task whose words are there; and what comes out of that is compared if asked."""
    tasks = [task for task, words in WORDS_OF.items() if any(word in request.text for word in words)]
    steps: list[Step] = []
    ends: list[str | int] = []

    def add(task: str, *values: str | int) -> int:
        args = dict(zip(TASKS[task].args, values, strict=True))
        steps.append(Step(id=len(steps), task=task, args=args))
        return steps[-1].id

    for name, resource in request.resources.items():
        image = resource.kind is Kind.IMAGE
        ends += [add(task, name) for task in (SHAPE, COUNT) if image and task in tasks]
        place: str | int = name
        for task in CHAINED:
            if task in tasks and (isinstance(place, int) or image is (task == READ)):
                place = add(task, place)
        ends += [place] if isinstance(place, int) else []
    if SAME in tasks and len(ends) > 1:
        add(SAME, ends[0], ends[1])
    return steps


def _model_by_words(step: Step, text: str) -> str:
    """The model of which most is said: what it is for, and whether it is quick."""
    said = text.lower()
    rough = re.search(r"roughly|quick", said) is not None

    def score(name: str) -> int:
        expert = EXPERTS[name]
        return sum(domain.removesuffix("s") in said for domain in expert.domains) + (expert.quick is rough)

    return max((expert.name for expert in candidates(step.task)), key=score)
