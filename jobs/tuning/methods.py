"""The ways to fine-tune: what each adds to a base, and what it trains of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.tuning.rank_budget import RankBudget
from jobs.tuning.settings import FineTuning

IA3_TARGETS = ("k_proj", "v_proj", "down_proj")
"""Keys, values and the inner layer of the feed-forward part (arXiv:2205.05638, section 3.3), as Llama calls them."""
IA3_FEEDFORWARD = ("down_proj",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One way to fine-tune."""

    title: str
    source: str
    adapter: Callable[[FineTuning], Any] | None
    """PEFT's configuration; None where the weights of the base themselves are trained."""
    quantized: bool = False
    """Whether the base is in NF4."""
    rate: str = "learning_rate"
    """The field of the job's Config with the learning rate."""

    def attach(self, model: Any, settings: FineTuning) -> Any:
        """Make a frozen base trainable in this way; activations are computed again in the backward pass."""
        import torch
        from peft import get_peft_model

        torch.manual_seed(settings.seed)
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        if self.adapter is None:
            return model.requires_grad_(requires_grad=True)
        return get_peft_model(model, self.adapter(settings))

    def schedule(self, model: Any) -> RankBudget | None:
        """What changes the model beside the optimizer."""
        return RankBudget(model) if RankBudget.has(model) else None


def low_rank(settings: FineTuning, **options: Any) -> Any:
    """LoRA on the targets; `options` go to PEFT."""
    from peft import LoraConfig

    return LoraConfig(r=settings.lora_rank, **_on_targets(settings), **options)


def _dora(settings: FineTuning) -> Any:
    return low_rank(settings, use_dora=True)


def _adalora(settings: FineTuning) -> Any:
    from peft import AdaLoraConfig

    phases = RankBudget.phases(settings.steps)
    return AdaLoraConfig(
        init_r=RankBudget.initial(settings.lora_rank),
        target_r=settings.lora_rank,
        tinit=phases.warmup,
        tfinal=phases.final,
        deltaT=phases.interval,
        total_step=settings.steps,
        **_on_targets(settings),
    )


def _on_targets(settings: FineTuning) -> dict[str, Any]:
    """What every low-rank method is told, its rank apart."""
    return {
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": settings.lora_dropout,
        "target_modules": settings.target_modules,
        "task_type": "CAUSAL_LM",
    }


def _ia3(_: FineTuning) -> Any:
    from peft import IA3Config

    return IA3Config(target_modules=list(IA3_TARGETS), feedforward_modules=list(IA3_FEEDFORWARD), task_type="CAUSAL_LM")


METHODS = {
    "lora": Method(title="LoRA", source="arXiv:2106.09685", adapter=low_rank),
    "qlora": Method(title="QLoRA", source="arXiv:2305.14314", adapter=low_rank, quantized=True),
    "dora": Method(title="DoRA", source="arXiv:2402.09353", adapter=_dora),
    "adalora": Method(title="AdaLoRA", source="arXiv:2303.10512", adapter=_adalora, rate="adalora_learning_rate"),
    "ia3": Method(title="(IA)³", source="arXiv:2205.05638", adapter=_ia3, rate="ia3_learning_rate"),
    "full": Method(title="all weights", source="", adapter=None, rate="full_learning_rate"),
}
"""By the name that a lab gives."""
LOW_RANK = ("lora", "qlora", "dora", "adalora")
"""Those with a rank."""
