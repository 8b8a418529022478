"""How a controller is asked for a plan, for a model and for an answer: HuggingGPT's stages, in words that it knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.experts.cards import Expert
from jobs.experts.plan import Plan, Step, line_of, parse_json, parse_lines, to_json
from jobs.experts.planner import model_prompt, plan_prompt
from jobs.experts.requests import Request
from jobs.experts.tasks import TASKS
from jobs.load.conversation import worked
from jobs.thinking.client import Asked
from jobs.thinking.wording import Wording

MAX_TOKENS = {"plan": 450, "model": 40, "response": 80}
"""Of an answer at most."""
SHORT = {"plan": 150, "model": 12}
"""The same of the lab's own model, which writes the short form."""
RULES = (
    "You plan which tasks answer a request, and answer with a JSON list only. Each element is "
    '{"task": task, "id": number from 0, "dep": [ids of the steps whose answers it takes, or -1], "args": {...}}. '
    'An argument is the name of something given, or "<resource>-id" for the answer of the step with that id. '
    "Do all that is needed and nothing else; what is asked first comes first.\nTasks:\n"
)
EXAMPLES = (
    (
        "Tell me what form image-4 shows.",
        '[{"task": "image-classification", "id": 0, "dep": [-1], "args": {"image": "image-4"}}]',
    ),
    (
        "Find out whether the Moru rune sign image-2 is positive.",
        '[{"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "image-2"}}, '
        '{"task": "translation", "id": 1, "dep": [0], "args": {"text": "<resource>-0"}}, '
        '{"task": "text-classification", "id": 2, "dep": [1], "args": {"text": "<resource>-1"}}]',
    ),
    (
        "I want to know whether the count of image-1 equals the number of things in image-8.",
        '[{"task": "object-counting", "id": 0, "dep": [-1], "args": {"image": "image-1"}}, '
        '{"task": "object-counting", "id": 1, "dep": [-1], "args": {"image": "image-8"}}, '
        '{"task": "sentence-similarity", "id": 2, "dep": [0, 1], '
        '"args": {"text": "<resource>-0", "text2": "<resource>-1"}}]',
    ),
)
"""Requests with their plans: one step, a chain, and two branches that meet; a chat has planned them before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The prompts of one wording, and how their answers are read."""

    wording: Wording

    @property
    def chat(self) -> bool:
        """Whether the model's own template is wanted."""
        return self.wording is Wording.CHAT

    def plan(self, request: Request) -> Asked:
        """For the plan of a request (stage 1)."""
        if self.wording is Wording.TRAINED:
            return Asked(prompt=plan_prompt(request.text), max_tokens=SHORT["plan"])
        tasks = "".join(f"- {name}({', '.join(task.args)}): {task.description}\n" for name, task in TASKS.items())
        if self.chat:
            return Asked(
                messages=tuple(worked(f"{RULES}{tasks}", EXAMPLES, request.text)), max_tokens=MAX_TOKENS["plan"]
            )
        examples = "".join(f"\nRequest: {text}\nPlan: {plan}\n" for text, plan in EXAMPLES)
        prompt = f"{RULES}{tasks}{examples}\nRequest: {request.text}\nPlan:"
        return Asked(prompt=prompt, max_tokens=MAX_TOKENS["plan"], stop=("\n",))

    def steps(self, text: str) -> list[Step]:
        """Of what was written for a plan.

        Raises:
            PlanError: it is none.
        """
        return parse_lines(text) if self.wording is Wording.TRAINED else parse_json(text)

    def model(
        self, request: Request, plan: Plan, step: Step, cards: Sequence[tuple[Expert, Mapping[str, float]]]
    ) -> Asked:
        """For the model of one of its steps (stage 2)."""
        if self.wording is Wording.TRAINED:
            return Asked(prompt=model_prompt(request.text, plan, step.id), max_tokens=SHORT["model"], stop=("\n",))
        listed = "".join(f"- {_card(expert, measured)}\n" for expert, measured in cards)
        prompt = (
            f"Choose the model that fits a step of a plan best.\nRequest: {request.text}\nPlan: {to_json(plan)}\n"
            f"Step {step.id}: {line_of(step)}\nModels:\n{listed}"
            "Take a rough and quick model only where the request asks for a rough answer. "
            'Answer with {"id": name} only.\n'
        )
        prompt += "" if self.chat else "Answer:"
        return Asked(prompt=prompt, max_tokens=MAX_TOKENS["model"], stop=() if self.chat else ("\n",))

    def response(self, request: Request, results: Sequence[tuple[str, str]]) -> Asked:
        """For the answer in words (stage 4), of tasks and what they gave; no lesson of the lab's own model has it."""
        listed = "".join(f"- {task}: {answer}\n" for task, answer in results)
        prompt = (
            f"Specialised models have carried out a request. Request: {request.text}\nResults:\n{listed}"
            "Answer the request in one sentence, with each result in it word by word.\n"
        )
        prompt += "" if self.chat else "Answer:"
        return Asked(prompt=prompt, max_tokens=MAX_TOKENS["response"], stop=() if self.chat else ("\n",))

    def name(self, text: str, names: Sequence[str]) -> str | None:
        """The first of the names that was written; None where none was."""
        if self.wording is Wording.TRAINED:
            return text.strip() if text.strip() in names else None
        found = re.findall(r"[\w-]+", text)
        return next((word for word in found if word in names), None)


def _card(expert: Expert, measured: Mapping[str, float]) -> str:
    return json.dumps(
        {
            "id": expert.name,
            "description": expert.description,
            "accuracy": round(measured["accuracy"], 2),
            "parameters": int(measured["num_parameters"]),
        }
    )
