"""Adapters of several tasks, and every way to answer a queue of requests with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jobs.launch.folder import report, run_folder
from jobs.llm.bases import Base
from jobs.llm.finetune import Recipe
from jobs.tuning.merging import Merging, load_adapters
from jobs.tuning.requests import Requests
from jobs.tuning.router import Router
from jobs.tuning.task import Task

JOINT = "joint"
"""The adapter that was trained on all tasks."""
ROUTER = "router.safetensors"
XLORA = "xlora"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """One adapter a task and one for all, saved in `folder/<name>`."""

    base: Base
    tasks: Mapping[str, Task]
    joint: Task
    """All tasks as one."""
    folder: Path

    def gated(self, recipe: Recipe, *, seed: int) -> dict[str, float]:
        """Train X-LoRA's gate on all tasks, save it, and answer with it: exact match by task."""
        from jobs.llm.checkpoints import Checkpoints
        from jobs.llm.finetune import finetune
        from jobs.tuning.xlora import gated_loss, save_gate, with_gate

        model = with_gate(self.base.load(quantized=False), self._folders(), seed=seed)
        checkpoints = Checkpoints(folder=run_folder() / "checkpoints" / XLORA)
        finetune(
            model,
            self.joint.train,
            recipe,
            checkpoints=checkpoints,
            on_step=lambda step, loss, *_: report(XLORA, step, recipe.steps, loss=loss),
            loss_of=gated_loss,
        )
        save_gate(model, self.folder / XLORA)
        requests = Requests.of(self.tasks)
        return requests.exact_match(self._answers(model, requests))

    def answered(self, merging: Merging, *, seed: int) -> dict[str, Any]:
        """Answer every request in every way: `exact_match` by way and task, and `metrics` of router and batches."""
        requests = Requests.of(self.tasks)
        names = list(self.tasks)
        model = load_adapters(self.base.load(quantized=False), self._folders() | {JOINT: self.folder / JOINT})
        ask = partial(self._answers, model, requests)
        with model.disable_adapter():
            answers = {"base": ask()}
            router = Router.learn(
                model, self.joint.tokenizer, {name: task.train for name, task in self.tasks.items()}, seed=seed
            )
            chosen = router.choose(model, self.joint.tokenizer, requests.prompts)
        router.save(self.folder / ROUTER)
        answers["own"], mixed_seconds = _timed(partial(ask, requests.tasks))
        answers["routed"] = ask(chosen)
        alone, alone_seconds = _timed(partial(self._one_by_one, model, requests))
        for way in merging.ways:
            merging.merge(model, names, way)
            model.set_adapter(way)
            answers[way] = ask()
        model.save_pretrained(self.folder, selected_adapters=list(merging.ways))
        model.set_adapter(JOINT)
        answers[JOINT] = ask()
        return {
            "exact_match": {way: requests.exact_match(given) for way, given in answers.items()},
            "metrics": {
                "router_accuracy": _share(chosen, requests.tasks),
                "mixed_batch_agreement": _share(answers["own"], alone),
                "mixed_batch_speedup": alone_seconds / mixed_seconds,
            },
        }

    def _folders(self) -> dict[str, Path]:
        return {name: self.folder / name for name in self.tasks}

    def _answers(self, model: Any, requests: Requests, adapters: Sequence[str] | None = None) -> list[str]:
        from jobs.llm.evaluate import answers

        return answers(model, self.joint.tokenizer, requests.prompts, self.joint.max_new_tokens, adapters=adapters)

    def _one_by_one(self, model: Any, requests: Requests) -> list[str]:
        """Each request answered in a batch of its task's own, by the one adapter that is active."""
        from jobs.llm.evaluate import answers

        found = [""] * len(requests.tasks)
        for name in self.tasks:
            model.set_adapter(name)
            places = requests.places(name)
            prompts = [requests.prompts[place] for place in places]
            given = answers(model, self.joint.tokenizer, prompts, self.joint.max_new_tokens)
            for place, answer in zip(places, given, strict=True):
                found[place] = answer
        return found


def _timed(answered: Callable[[], list[str]]) -> tuple[list[str], float]:
    """Answers, and the seconds that they took."""
    began = time.perf_counter()
    answers = answered()
    return answers, time.perf_counter() - began


def _share(found: Sequence[str], wanted: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted)
