"""QLoRA: fine-tune a 4-bit model with low-rank adapters (Dettmers et al., 2023).

python -m jobs.submit qlora
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.config import Scale, Source, by_scale

LLAMA_2_7B = Source("meta-llama/Llama-2-7b-hf@01c7f73d771dfac7d292323805ebc428287df4f9")
ALPACA = Source("tatsu-lab/alpaca@dce01c9b08f87459cf36a430d809084718273017")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One fine-tuning; the hyper-parameters of `full` are those of the paper's appendix B."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=LLAMA_2_7B, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    data: Source = by_scale(tiny="made", small="made", single=ALPACA, full=ALPACA)
    """Instructions in Alpaca's format: a hub id with revision, a folder with `*.json`, or `made` (from the seed)."""
    num_examples: int = by_scale(tiny=1000, small=400, single=2000, full=52002)
    """Taken from the data set for training and held-out evaluation together."""
    steps: int = by_scale(tiny=60, small=30, single=200, full=1875)
    """Optimizer steps."""
    batch_size: int = 16
    """Examples a step."""
    row_length: int = by_scale(tiny=256, small=256, single=1024, full=1024)
    """Tokens in a packed row; a longer example is cut."""
    learning_rate: float = by_scale(tiny=2e-3, small=5e-4, single=2e-4, full=2e-4)
    lora_rank: int = by_scale(tiny=16, small=16, single=64, full=64)
    lora_alpha: int = 16
    lora_dropout: float = by_scale(tiny=0.0, small=0.0, single=0.1, full=0.1)
    compare_lora: bool = by_scale(tiny=True, small=True, single=True, full=False)
    """Train the same adapters on the unquantized base too, and report the gap."""
    checkpoint_every: int = by_scale(tiny=20, small=10, single=50, full=125)
    """Steps between checkpoints."""
    max_failures: int = 3
    """How often training is begun again from its last checkpoint before the run fails."""
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("num_examples", "steps", "batch_size", "row_length", "learning_rate", "lora_rank", "checkpoint_every")
        wrong = [f"{name.upper()}={getattr(self, name)}: must be above 0" for name in positive if getattr(self, name) <= 0]
        if not 0 <= self.lora_dropout < 1:
            wrong.append(f"LORA_DROPOUT={self.lora_dropout}: must be from 0 to below 1")
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Fine-tune, and return the metrics that go into the run record."""
    raise NotImplementedError
