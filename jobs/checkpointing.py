"""Gradient checkpointing: keep fewer activations, and compute them again (Chen et al., 2016, arXiv:1604.06174).

python -m jobs.submit checkpointing
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clusterlab.config import by_scale
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import Precision, Recompute, activations
from clusterlab.fit.strategies import Strategy
from clusterlab.run import METRICS
from jobs.launch.folder import run_folder
from jobs.parallel.settings import Training
from jobs.parallel.workers import Notice, train_on_workers

if TYPE_CHECKING:
    from jobs.parallel.tokens import Stream

MIB = 2**20


class Attention(StrEnum):
    """How attention is computed."""

    EAGER = "eager"
    """Its matrix of weights is in memory, as when Korthikanti et al. (2022) chose what to compute again."""
    SDPA = "sdpa"
    """In blocks, without that matrix (FlashAttention, where the machine has it)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Training):
    """The same training three times: nothing, the attention's core, and whole layers computed again."""

    seq_length: int = by_scale(tiny=256, small=256, single=2048, full=2048)
    """Tokens in a row; longer than in the other labs, since activations grow with it and states do not."""
    global_batch_size: int = by_scale(tiny=8, small=8, single=4, full=8)
    """Rows a step, of all ranks together."""
    micro_batch_size: int = by_scale(tiny=4, small=4, single=2, full=1)
    """Rows that a rank computes at once."""
    model: str = by_scale(tiny="tiny", small="tiny", single="smollm2-135m", full="tinyllama-1.1b")
    """Its shape, by the names of `clusterlab fit`; whole on every worker."""
    steps: int = by_scale(tiny=8, small=8, single=30, full=30)
    """Optimizer steps, of each of the three."""
    checkpoint_every: int = by_scale(tiny=8, small=8, single=30, full=30)
    """Steps between checkpoints."""
    min_workers: int = by_scale(tiny=1, small=1, single=1, full=8)
    """A worker a GPU with `cuda`; with `cpu` this many."""
    attention: Attention = Attention.EAGER
    precision: Precision = by_scale(
        tiny=Precision.FLOAT32, small=Precision.FLOAT32, single=Precision.MIXED, full=Precision.MIXED
    )
    """`mixed` computes in bfloat16 on float32 weights."""

    def footprint(self, num_gpus: int) -> Footprint:
        """What `clusterlab check` holds against the memory of the lab's accelerators: nothing computed again."""
        return Strategy(zero_stage=0, data_parallel=num_gpus).footprint(self.planned(self.precision))

    def predicted(self, recompute: Recompute) -> int:
        """Bytes of activations at the worst, by the formula of Korthikanti et al. (arXiv:2205.05198)."""
        return activations(
            self.shape,
            micro_batch_size=self.micro_batch_size,
            seq_length=self.seq_length,
            recompute=recompute,
            bytes_per_value=self.precision.value_bytes,
            fused_attention=self.attention is Attention.SDPA,
        )


def main(config: Config) -> dict[str, float]:
    """Train three times, and return the metrics that go into the run record.

    Memory is in MiB of one worker; `kept` is what the forward pass leaves, `peak` the most at any time of a step, both
    without weights and optimizer state, which `states_mib` has. `loss_gap` is the largest difference between the
    losses of any two at the same step.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.parallel.trade_picture import draw_trade

    metrics, world_size = train_on_workers(_train, config, fewer=True)
    folder = run_folder()
    losses = read_losses(folder / METRICS)
    title = f"Gradient checkpointing, {config.model}, {config.micro_batch_size} x {config.seq_length} tokens"
    draw_losses(losses, title, folder / "loss.png", per="token")
    draw_trade(metrics, title, folder / "trade.png")
    by_step = zip(*(losses[recompute].values() for recompute in Recompute), strict=True)
    metrics["loss_gap"] = max(max(each) - min(each) for each in by_step)
    return metrics | _against_none(metrics) | {"world_size": world_size}


def _against_none(metrics: dict[str, float]) -> dict[str, float]:
    """What each saves and costs, as a share of what computing nothing again takes."""
    whole = metrics["none_peak_mib"] + metrics["states_mib"]
    return {
        key: value
        for name in (Recompute.SELECTIVE, Recompute.FULL)
        for key, value in {
            f"{name}_memory_saved": 1 - (metrics[f"{name}_peak_mib"] + metrics["states_mib"]) / whole,
            f"{name}_time_added": metrics[f"{name}_seconds_per_step"] / metrics["none_seconds_per_step"] - 1,
        }.items()
    }


def _train(config: Config, notice: Notice) -> dict[str, float]:
    """In each worker."""
    import torch.distributed as dist

    from jobs.parallel.loop import check_batch
    from jobs.parallel.tokens import Stream

    check_batch(config, dist.get_world_size())
    stream = Stream.of(config)
    return {
        key: value for recompute in Recompute for key, value in _train_one(config, notice, stream, recompute).items()
    }


def _train_one(config: Config, notice: Notice, stream: Stream, recompute: Recompute) -> dict[str, float]:
    import torch.distributed as dist

    from jobs.parallel.loop import train
    from jobs.parallel.memory import measure_step
    from jobs.parallel.meter import Meter, summary
    from jobs.parallel.saves import Saves
    from jobs.parallel.whole import Whole

    engine = Whole(config, precision=config.precision, recompute=recompute, attention=config.attention)
    saves = Saves(folder=run_folder() / "checkpoints" / recompute)
    rank, world_size = dist.get_rank(), dist.get_world_size()
    meter = Meter(phase=recompute, config=config, world_size=world_size)
    on_step = meter if rank == 0 else lambda _: None
    train(engine, stream, config, saves=saves, stop=notice.given(), on_step=on_step)
    memory = measure_step(engine, stream.rows(0, config.micro_batch_size))
    engine.close()
    if rank != 0:
        return {}
    meter.close()
    predicted = config.predicted(recompute)
    of = summary(config, recompute, world_size)
    return {
        f"{recompute}_loss": of["loss"],
        f"{recompute}_seconds_per_step": of["seconds_per_step"],
        f"{recompute}_kept_mib": memory.kept / MIB,
        f"{recompute}_peak_mib": memory.peak / MIB,
        f"{recompute}_peak_over_formula": memory.peak / predicted,
        "states_mib": memory.states / MIB,
    }
