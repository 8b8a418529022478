"""One method tried on one task: train, examine, weigh, and save what PEFT loads again."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from jobs.launch.folder import run_folder
from jobs.llm.bases import Base
from jobs.tuning.methods import Method
from jobs.tuning.settings import FineTuning
from jobs.tuning.task import Task

TUNED = "tuned"
"""The folder with what each method trained: adapters, or a whole model."""


def tried(phase: str, method: Method, config: FineTuning, base: Base, task: Task) -> dict[str, Any]:
    """Fine-tune the base in one way and save it as `tuned/<phase>`; returns what is recorded of it.

    Memory is in MiB: `weights_mib` of all weights as they are kept, adapters included, `gradients_mib` and
    `optimizer_mib` as a step has them, `memory_mib` of the three, `saved_mib` on the disk. `ranks_before` and
    `ranks_after` are by layer, where a method moves them.
    """
    from jobs.compress.size import memory_bytes
    from jobs.llm.checkpoints import Checkpoints
    from jobs.llm.finetune import finetune
    from jobs.llm.process import gpu_memory, report_step

    folder = run_folder()
    model = method.attach(base.load(quantized=method.quantized), config)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    budget = method.schedule(model)
    before = budget.ranks() if budget else None
    checkpoints = Checkpoints(folder=folder / "checkpoints" / phase, keep=1)
    recipe = dataclasses.replace(config.recipe(), learning_rate=getattr(config, method.rate))
    on_step = partial(report_step, phase, config.steps)
    progress = finetune(model, task.train, recipe, checkpoints=checkpoints, on_step=on_step, schedule=budget)
    measured, _ = task.examine(model)
    weights = {"weights": memory_bytes(model) / 2**20}
    parts = weights | {"gradients": progress.gradient_bytes / 2**20, "optimizer": progress.optimizer_bytes / 2**20}
    ranks = {"ranks_before": before, "ranks_after": budget.ranks()} if budget else {}
    found = {
        "trainable_parameters": trainable,
        **{f"{part}_mib": mib for part, mib in parts.items()},
        "memory_mib": sum(parts.values()),
        "saved_mib": _save(model, task, folder / TUNED / phase),
        "tokens_per_second": progress.tokens_per_second,
        **measured,
        **ranks,
        **gpu_memory(),
    }
    # The next method needs the disk: states of all weights are several times the model.
    shutil.rmtree(checkpoints.folder, ignore_errors=True)
    return found


def _save(model: Any, task: Task, folder: Path) -> float:
    """Save adapters as PEFT does, or else a whole model with its tokenizer; returns MiB of weights."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # A layer that AdaLoRA left no rank to is empty; PEFT takes it for one that ZeRO had not gathered.
        warnings.filterwarnings("ignore", message=r"Adapter .* invalid shape")
        model.save_pretrained(folder)
    if not isinstance(model, PeftModel):
        task.tokenizer.save_pretrained(folder)
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2**20
