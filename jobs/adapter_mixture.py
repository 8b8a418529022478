"""Adapters of several tasks over one base: one a request by a router, mixed by X-LoRA, merged, or one for all tasks.

python -m jobs.submit adapter_mixture
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from clusterlab.config import Source, by_scale
from clusterlab.run import METRICS
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.launch.workers import run_worker
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA
from jobs.tuning.merging import MERGES, Merging
from jobs.tuning.relations import RELATIONS, relation_examples
from jobs.tuning.settings import FineTuning

if TYPE_CHECKING:
    from jobs.llm.bases import Base
    from jobs.llm.finetune import Recipe
    from jobs.llm.instructions import Example
    from jobs.tuning.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(FineTuning):
    """One adapter a task, and one for all tasks with as many steps as those together."""

    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    tasks: str = "opposite,capital,past,spanish"
    """Relations of the made facts, separated by commas."""
    num_eval: int = by_scale(tiny=15, small=8, single=20, full=20)
    """Facts of each task that are held out; every one is asked for in three wordings."""
    steps: int = by_scale(tiny=60, small=20, single=60, full=60)
    """Optimizer steps a task."""
    row_length: int = by_scale(tiny=256, small=256, single=512, full=512)
    """Tokens in a packed row."""
    lora_rank: int = by_scale(tiny=8, small=8, single=16, full=16)
    max_new_tokens: int = 16
    """Longest answer."""
    merges: str = ",".join(MERGES)
    """How to merge, by PEFT's names, separated by commas."""
    merge_weight: float = 0.5
    """Of each adapter in a merged one."""
    merge_density: float = 0.5
    """Share of an adapter's entries that TIES and DARE keep."""
    xlora: bool = True
    """Train X-LoRA's gate too. It answers without a cache of keys and values."""
    xlora_steps: int = by_scale(tiny=60, small=20, single=60, full=60)
    """Optimizer steps of the gate, on all tasks."""
    xlora_learning_rate: float = by_scale(tiny=1e-2, small=1e-3, single=1e-3, full=1e-3)

    def problems(self) -> list[str]:
        """What is wrong with the values, each with what is allowed."""
        wrong = FineTuning.problems(self)
        for key, allowed, least in (("tasks", RELATIONS, 2), ("merges", MERGES, 1)):
            chosen = getattr(self, key).split(",")
            if not set(chosen) <= set(allowed) or len(set(chosen)) < len(chosen) or len(chosen) < least:
                wrong.append(
                    f"{key.upper()}={getattr(self, key)}: allowed: {least} or more of {', '.join(allowed)}, each once"
                )
        if self.merge_density > 1:
            wrong.append(f"MERGE_DENSITY={self.merge_density}: must be at most 1")
        return wrong


def main(config: Config) -> dict[str, float]:
    """Train the adapters, answer every held-out request in every way, and return the metrics for the run record.

    `<way>_exact_match` is over the requests of all tasks; `router_accuracy` is the share of requests that the router
    gives to the adapter of their task; `mixed_batch_agreement` is the share of answers of a batch with all adapters in
    it that are those of the adapters one after the other.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.tuning.mixture_report import draw_ways, ways_table

    metrics = run_worker(_train, config, max_failures=config.max_failures)
    folder, tasks = run_folder(), config.tasks.split(",")
    parts = Finished(folder=folder / "parts")
    ways = parts.read("ways")["exact_match"] | ({"xlora": parts.read("xlora")} if config.xlora else {})
    table = ways_table(ways, tasks)
    (folder / "mixture.md").write_text(table)
    print(table, flush=True)
    draw_ways(ways, tasks, f"{config.model.partition('@')[0]}, {len(tasks)} tasks", folder / "mixture.png")
    losses = {phase: by_step for phase, by_step in read_losses(folder / METRICS).items() if phase != "pretrain"}
    draw_losses(losses, f"Adapters of {len(tasks)} tasks, scale {config.scale}", folder / "loss.png")
    return metrics


def _train(config: Config) -> dict[str, float]:
    """In the worker: every part that no attempt has finished yet."""
    from jobs.llm.bases import Base
    from jobs.llm.process import prepare, report_pretraining
    from jobs.tuning.methods import METHODS
    from jobs.tuning.mixture import JOINT, Mixture
    from jobs.tuning.requests import ALL
    from jobs.tuning.targets import check_adapters
    from jobs.tuning.trial import TUNED, tried

    prepare()
    check_adapters(Base.skeleton_of(config.model), config, ["lora"])
    names = config.tasks.split(",")
    examples = {name: relation_examples(name, config.num_eval, seed=config.seed) for name in names}
    base = Base.of(config.model, report_pretraining)
    tasks = {name: _task(config, base, *parts) for name, parts in examples.items()}
    union = ([example for part in parts for example in part] for parts in zip(*examples.values(), strict=True))
    joint = _task(config, base, *union)
    parts = Finished(folder=run_folder() / "parts")
    for name, task in tasks.items():
        parts.once(name, partial(tried, name, METHODS["lora"], config, base, task))
    # As many steps as the tasks had together, over the examples of all.
    longer = dataclasses.replace(config, steps=config.steps * len(tasks))
    parts.once(JOINT, partial(tried, JOINT, METHODS["lora"], longer, base, joint))
    mixture = Mixture(base=base, tasks=tasks, joint=joint, folder=run_folder() / TUNED)
    found = parts.once("ways", partial(mixture.answered, _merging(config), seed=config.seed))
    by_way = found["exact_match"]
    if config.xlora:
        by_way["xlora"] = parts.once("xlora", partial(mixture.gated, _gate_recipe(config), seed=config.seed))
    metrics: dict[str, float] = found["metrics"]
    return metrics | {f"{way}_exact_match": by_task[ALL] for way, by_task in by_way.items()}


def _gate_recipe(config: Config) -> Recipe:
    return dataclasses.replace(config.recipe(), steps=config.xlora_steps, learning_rate=config.xlora_learning_rate)


def _merging(config: Config) -> Merging:
    return Merging(
        ways=tuple(config.merges.split(",")),
        weight=config.merge_weight,
        density=config.merge_density,
        seed=config.seed,
    )


def _task(config: Config, base: Base, train: list[Example], held_out: list[Example]) -> Task:
    from jobs.tuning.task import Task

    return Task.of(
        base.tokenizer(), train, held_out, row_length=config.row_length, max_new_tokens=config.max_new_tokens
    )
