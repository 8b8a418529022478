"""The values that every lab of distributed training has, so that their losses can be compared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from clusterlab.config import Scale, Source, by_scale, source_problems
from clusterlab.fit.memory import Precision
from clusterlab.fit.shapes import SHAPES, Shape
from clusterlab.fit.strategies import Training as Planned
from jobs.llm.hub import TINYLLAMA, WIKITEXT

MADE = Source("made")
TOKENIZER = TINYLLAMA
"""Llama-2's, without its licence gate."""


class Device(StrEnum):
    """What the workers compute on, and so which library carries their messages."""

    CPU = "cpu"
    """gloo."""
    CUDA = "cuda"
    """NCCL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """A Llama-type model trained from random weights; the same values give the same losses however it is spread."""

    scale: Scale
    """How big; sets every value below that is not given. There is no `small`: nothing here is pretrained."""
    device: Device = by_scale(tiny=Device.CPU, small=Device.CPU, single=Device.CUDA, full=Device.CUDA)
    model: str = by_scale(tiny="tiny", small="tiny", single="tinyllama-1.1b", full="llama-2-7b")
    """Its shape, by the names of `clusterlab fit`."""
    data: Source = by_scale(tiny=MADE, small=MADE, single=WIKITEXT, full=WIKITEXT)
    """A text: a hub id with revision, a folder with `*.txt` or `*.parquet`, or `made` (from the seed)."""
    tokenizer: Source = by_scale(tiny=MADE, small=MADE, single=TOKENIZER, full=TOKENIZER)
    """Of a text that is not made: a hub id with revision, or a folder; `made` takes its bytes."""
    seq_length: int = by_scale(tiny=64, small=64, single=2048, full=4096)
    """Tokens in a row."""
    global_batch_size: int = by_scale(tiny=8, small=8, single=8, full=64)
    """Rows a step, of all ranks together."""
    micro_batch_size: int = by_scale(tiny=4, small=4, single=1, full=1)
    """Rows that a rank computes at once; it adds up the gradients of as many as a step needs."""
    steps: int = by_scale(tiny=20, small=20, single=50, full=50)
    """Optimizer steps."""
    learning_rate: float = by_scale(tiny=1e-3, small=1e-3, single=3e-4, full=3e-4)
    """Of AdamW, constant."""
    weight_decay: float = 0.1
    checkpoint_every: int = by_scale(tiny=10, small=10, single=25, full=25)
    """Steps between checkpoints."""
    min_workers: int = by_scale(tiny=2, small=2, single=1, full=8)
    """A worker a GPU with `cuda`; with `cpu` this many, spread over the nodes."""
    max_failures: int = 3
    """How often training is begun again from its last checkpoint, with the workers that are left."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = list(self.problems())
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def shape(self) -> Shape:
        """Of the model."""
        return SHAPES[self.model]

    def planned(self, precision: Precision) -> Planned:
        """What is trained, as the planner of `clusterlab fit` takes it."""
        return Planned(
            shape=self.shape,
            seq_length=self.seq_length,
            micro_batch_size=self.micro_batch_size,
            precision=precision,
        )

    def problems(self) -> list[str]:
        """What is wrong with the values, each with what is allowed."""
        wrong = []
        if self.scale is Scale.SMALL:
            wrong.append("SCALE=small: allowed: tiny, single, full; nothing here is pretrained")
        if self.model not in SHAPES:
            wrong.append(f"MODEL={self.model}: allowed: {', '.join(SHAPES)}")
        wrong += [
            f"{name.upper()}={value}: must be {'0 or more' if name in _MAY_BE_ZERO else 'above 0'}"
            for name, value in dataclasses.asdict(self).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
            if value < 0 or (value == 0 and name not in _MAY_BE_ZERO)
        ]
        if not wrong and self.global_batch_size % self.micro_batch_size:
            wrong.append(f"GLOBAL_BATCH_SIZE={self.global_batch_size}: must be a multiple of MICRO_BATCH_SIZE")
        return wrong + source_problems(self, {"data": (MADE,), "tokenizer": (MADE,)})


_MAY_BE_ZERO = ("balance", "max_failures", "seed", "weight_decay")
