"""The values that every lab that fine-tunes a base on instructions has, and what they may be."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, source_problems
from jobs.llm.alpaca import MADE as MADE_DATA
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import ALPACA, LLAMA_2_7B

if TYPE_CHECKING:
    from jobs.llm.finetune import Recipe

ALL_LINEAR = "all-linear"


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuning:
    """One fine-tuning on packed examples with answers that can be compared to the letter."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=LLAMA_2_7B, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    row_length: int = by_scale(tiny=256, small=256, single=1024, full=1024)
    """Tokens in a packed row; a longer example is cut."""
    steps: int = by_scale(tiny=150, small=40, single=200, full=1875)
    """Optimizer steps."""
    batch_size: int = 16
    """Examples a step."""
    learning_rate: float = by_scale(tiny=2e-3, small=5e-4, single=2e-4, full=2e-4)
    lora_rank: int = by_scale(tiny=16, small=16, single=64, full=64)
    lora_alpha: int = 16
    lora_dropout: float = by_scale(tiny=0.0, small=0.0, single=0.1, full=0.1)
    targets: str = ALL_LINEAR
    """What gets low-rank adapters: `all-linear` (the head apart), or names such as `q_proj,v_proj`."""
    max_grad_norm: float = 0.3
    max_new_tokens: int = by_scale(tiny=16, small=16, single=64, full=64)
    """Longest answer, when answers are compared with the wanted ones."""
    checkpoint_every: int = by_scale(tiny=50, small=10, single=50, full=125)
    """Steps between checkpoints."""
    max_failures: int = 3
    """How often training is begun again from its last checkpoint before the run fails."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = list(self.problems())
        if wrong:
            raise ValueError("; ".join(wrong))

    def problems(self) -> list[str]:
        """What is wrong with the values, each with what is allowed."""
        numbers = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        wrong = [
            f"{name.upper()}={value}: must be above 0"
            for name, value in numbers.items()
            if name not in (*_MAY_BE_ZERO, "lora_dropout") and value <= 0
        ]
        if not 0 <= self.lora_dropout < 1:
            wrong.append(f"LORA_DROPOUT={self.lora_dropout}: must be from 0 to below 1")
        wrong += [f"{name.upper()}={numbers[name]}: must not be below 0" for name in _MAY_BE_ZERO if numbers[name] < 0]
        if not all(self.targets.split(",")):
            wrong.append(f"TARGETS={self.targets}: allowed: {ALL_LINEAR}, or names of layers separated by commas")
        return wrong + source_problems(self, {"model": MADE_BASES})

    @property
    def target_modules(self) -> str | list[str]:
        """The targets as PEFT takes them."""
        return self.targets if self.targets == ALL_LINEAR else self.targets.split(",")

    def recipe(self) -> Recipe:
        """How to train."""
        from jobs.llm.finetune import Recipe

        return Recipe.of(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionTuning(FineTuning):
    """One fine-tuning on a set of instructions."""

    data: Source = by_scale(tiny="made", small="made", single=ALPACA, full=ALPACA)
    """Instructions in Alpaca's format: a hub id with revision, a folder with `*.json`, or `made` (from the seed)."""
    num_train: int = by_scale(tiny=1000, small=1000, single=4000, full=50000)
    """Examples to train on."""
    num_eval: int = by_scale(tiny=120, small=60, single=200, full=1000)
    """Held-out examples."""

    def problems(self) -> list[str]:
        """What is wrong with the values, each with what is allowed."""
        return FineTuning.problems(self) + source_problems(self, {"data": MADE_DATA})


_MAY_BE_ZERO = ("max_failures", "seed")
