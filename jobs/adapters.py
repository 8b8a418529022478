"""The adapter family on one task: LoRA, QLoRA, DoRA, AdaLoRA, (IA)³ and all weights, by what each takes and learns.

python -m jobs.submit adapters
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from clusterlab.config import Source, by_scale
from clusterlab.run import METRICS
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.launch.workers import run_worker
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA
from jobs.tuning.methods import METHODS
from jobs.tuning.rank_budget import RankBudget
from jobs.tuning.settings import InstructionTuning

if TYPE_CHECKING:
    from jobs.llm.bases import Base
    from jobs.tuning.task import Task

ALL = ",".join(METHODS)
ADAPTERS = ",".join(name for name in METHODS if name != "full")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(InstructionTuning):
    """One fine-tuning for each method, all on the same examples in the same order."""

    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    methods: str = by_scale(tiny=ALL, small=ALL, single=ALL, full=ADAPTERS)
    """Which, separated by commas; at `full` without `full`, whose 12 bytes a weight one GPU does not hold."""
    steps: int = by_scale(tiny=100, small=40, single=200, full=1875)
    """Optimizer steps of each method."""
    lora_rank: int = by_scale(tiny=16, small=16, single=16, full=64)
    """Of every layer; for AdaLoRA the mean that is left at the end."""
    adalora_learning_rate: float = by_scale(tiny=5e-3, small=2e-3, single=1e-3, full=1e-3)
    ia3_learning_rate: float = by_scale(tiny=3e-2, small=1e-2, single=3e-3, full=3e-3)
    full_learning_rate: float = by_scale(tiny=2e-4, small=5e-5, single=2e-5, full=2e-5)

    def problems(self) -> list[str]:
        """What is wrong with the values, each with what is allowed."""
        wrong = InstructionTuning.problems(self)
        chosen = self.methods.split(",")
        unknown = [name for name in chosen if name not in METHODS]
        if unknown or len(set(chosen)) < len(chosen):
            wrong.append(f"METHODS={self.methods}: allowed: some of {ALL}, each once")
        if "adalora" in chosen and 0 < self.steps < RankBudget.MIN_STEPS:
            wrong.append(f"STEPS={self.steps}: adalora needs {RankBudget.MIN_STEPS} at least")
        return wrong


def main(config: Config) -> dict[str, float]:
    """Fine-tune by every method, and return the metrics that go into the run record.

    Losses are in nats a response token, memory in MiB: of all weights as they are kept, of gradients and of optimizer
    states as a step has them, and on the disk. AdaLoRA's ranks are sums over all layers, and the smallest and largest
    that a layer is left with.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.tuning.family_picture import draw_family
    from jobs.tuning.table import family_table

    metrics = run_worker(_train, config, max_failures=config.max_failures)
    folder, names = run_folder(), config.methods.split(",")
    finished = Finished(folder=folder / "methods")
    found = {name: finished.read(name) for name in names}
    table = family_table(found, finished.read("base"))
    (folder / "adapters.md").write_text(table)
    print(table, flush=True)
    title = f"{config.model.partition('@')[0]}, {config.steps} steps"
    draw_family(found, finished.read("base"), title, folder / "adapters.png")
    losses = read_losses(folder / METRICS)
    draw_losses({name: losses[name] for name in names}, f"Adapters, scale {config.scale}", folder / "loss.png")
    return metrics


def _train(config: Config) -> dict[str, float]:
    """In the worker: every method that no attempt has finished yet."""
    from jobs.llm.bases import Base
    from jobs.llm.process import prepare, report_pretraining
    from jobs.tuning.targets import check_adapters
    from jobs.tuning.task import Task
    from jobs.tuning.trial import tried

    prepare()
    names = config.methods.split(",")
    check_adapters(Base.skeleton_of(config.model), config, names)
    base = Base.of(config.model, report_pretraining)
    task = Task.load(config, base)
    finished = Finished(folder=run_folder() / "methods")
    untuned = finished.once("base", lambda: _untuned(base, task))
    metrics = {f"base_{key}": value for key, value in untuned.items()}
    for name in names:
        found = finished.once(name, partial(tried, name, METHODS[name], config, base, task))
        metrics |= _flat(name, found)
    return metrics


def _untuned(base: Base, task: Task) -> dict[str, Any]:
    """What the base answers before anything is trained."""
    from jobs.compress.size import memory_bytes

    model = base.load(quantized=False)
    measured, _ = task.examine(model)
    return measured | {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "mib": memory_bytes(model) / 2**20,
    }


def _flat(name: str, found: dict[str, Any]) -> dict[str, float]:
    """A method's numbers by name of metric."""
    ranks = {key: list(found[key].values()) for key in ("ranks_before", "ranks_after") if key in found}
    numbers = {key: value for key, value in found.items() if key not in ranks}
    for key, values in ranks.items():
        numbers |= {f"{key}_total": sum(values), f"{key}_min": min(values), f"{key}_max": max(values)}
    return {f"{name}_{key}": value for key, value in numbers.items()}
