"""AdaLoRA's budget: ranks are taken where they matter least (Zhang et al., 2023, arXiv:2303.10512).

PEFT has the allocation; a training loop must call it between the optimizer's step and the end of the gradients, must
add the penalty, and must keep the scores in its checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ADAPTER = "default"
SCORES = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""PEFT's names: the sensitivity of each weight, its moving average, and that of its uncertainty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phases:
    """When the budget falls."""

    warmup: int
    """First steps, at the initial ranks."""
    final: int
    """Last steps, at the final ranks."""
    interval: int
    """Steps between two allocations."""


class RankBudget:
    """The ranks of an AdaLoRA model while it trains."""

    MIN_STEPS = 5

    def __init__(self, model: Any) -> None:
        self._tuner = model.base_model
        self._config = model.peft_config[ADAPTER]
        model_names = dict(model.named_parameters())
        self._bases = [weight for name, weight in model_names.items() if ".lora_A." in name or ".lora_B." in name]

    @staticmethod
    def has(model: Any) -> bool:
        """Whether a model is adapted by AdaLoRA."""
        return hasattr(getattr(model, "base_model", None), "rankallocator")

    @staticmethod
    def initial(rank: int) -> int:
        """The rank that all layers begin with, for a mean of `rank` at the end: half as much again, as published."""
        return max(rank + 1, round(1.5 * rank))

    @staticmethod
    def phases(steps: int) -> Phases:
        """A fifth to warm up, two fifths at the end, and about twenty allocations between.

        Raises:
            ValueError: too few steps.
        """
        if steps < RankBudget.MIN_STEPS:
            raise ValueError(f"{steps} steps: AdaLoRA needs {RankBudget.MIN_STEPS} at least")
        warmup, final = steps // 5, 2 * steps // 5
        return Phases(warmup=warmup, final=final, interval=max(1, (steps - warmup - final) // 20))

    def penalty(self) -> Any:
        """How far the bases are from orthogonal, to be added to the loss: the paper's equation 4, a mean over them."""
        import torch

        grams = [weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight for weight in self._bases]
        apart = [torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)) for gram in grams]
        return self._config.orth_reg_weight * sum(apart) / len(apart)

    def after_step(self, step: int) -> None:
        """Score the ranks by the step's gradients, and take away what is above the budget."""
        self._tuner.update_and_allocate(step)

    def state_dict(self) -> dict[str, Any]:
        """What the next allocation depends on beside the weights."""
        allocator = self._tuner.rankallocator
        scores = {name: dict(getattr(allocator, name)) for name in SCORES}
        return {"scores": scores, "rank_pattern": self._config.rank_pattern}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        for name in SCORES:
            setattr(self._tuner.rankallocator, name, dict(state["scores"][name]))
        self._config.rank_pattern = state["rank_pattern"]

    def ranks(self) -> dict[str, int]:
        """The rank that each layer has now, by its name."""
        kept = self._config.rank_pattern
        if kept is None:
            return {_layer(name): len(weight) for name, weight in self._singular_values()}
        return {_layer(name): sum(which) for name, which in kept.items()}

    def _singular_values(self) -> list[tuple[str, Any]]:
        return [(name, weight) for name, weight in self._tuner.model.named_parameters() if ".lora_E." in name]


def _layer(name: str) -> str:
    """`model.layers.0.self_attn.q_proj` of the name of one of its parameters."""
    return name.partition(".lora_E")[0]
