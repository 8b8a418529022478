"""Which layers adapters go on, and whether they can: told before any work, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.tuning.methods import IA3_TARGETS, LOW_RANK
from jobs.tuning.rank_budget import RankBudget
from jobs.tuning.settings import ALL_LINEAR, FineTuning

Shapes = dict[str, tuple[int, int]]
"""(in, out) features of linear layers by name."""


def linear_layers(skeleton: Any) -> Shapes:
    """All linear layers of a model but its head, in the model's order."""
    import torch

    head = skeleton.get_output_embeddings()
    return {
        name: (module.in_features, module.out_features)
        for name, module in skeleton.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


def check_adapters(skeleton: Any, settings: FineTuning, methods: Sequence[str]) -> None:
    """See that every method finds its layers in the model and that no rank is above what a layer can have.

    Raises:
        InputError: every target that the model does not have, and the first layer that is too small for the rank.
    """
    layers = linear_layers(skeleton)
    problems: list[Problem] = []
    ranked = [name for name in methods if name in LOW_RANK]
    if ranked:
        problems += _targets(layers, settings, ranked)
    if "ia3" in methods:
        problems += [
            Problem(
                path="METHODS=ia3", message=f"the model has no {name}; allowed: models with {', '.join(IA3_TARGETS)}"
            )
            for name in IA3_TARGETS
            if not _called(layers, name)
        ]
    if problems:
        raise InputError(problems)


def _targets(layers: Shapes, settings: FineTuning, methods: Sequence[str]) -> list[Problem]:
    targets = settings.targets.split(",")
    if settings.targets == ALL_LINEAR:
        chosen = layers
    else:
        kinds = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in layers))
        unknown = [
            Problem(
                path=f"TARGETS={target}", message=f"no layer for adapters is so called; allowed: {ALL_LINEAR}, {kinds}"
            )
            for target in targets
            if not _called(layers, target)
        ]
        if unknown:
            return unknown
        chosen = {name: shape for target in targets for name, shape in _called(layers, target).items()}
    return _ranks(chosen, settings, methods)


def _ranks(chosen: Shapes, settings: FineTuning, methods: Sequence[str]) -> list[Problem]:
    # AdaLoRA begins above the rank that it ends with.
    rank = RankBudget.initial(settings.lora_rank) if "adalora" in methods else settings.lora_rank
    for name, shape in chosen.items():
        if rank > min(shape):
            begins = f", with which adalora begins at {rank}" if "adalora" in methods else ""
            message = f"{name} is {shape[0]} by {shape[1]}{begins}; allowed: ranks to {min(shape)}"
            return [Problem(path=f"LORA_RANK={settings.lora_rank}", message=message)]
    return []


def _called(layers: Shapes, target: str) -> Shapes:
    """The layers that PEFT takes for a target: those whose name is it or ends with it."""
    return {name: shape for name, shape in layers.items() if f".{name}".endswith(f".{target}")}
