"""FSDP2: train a model in shards, checkpoint it in shards, and read it whole (Zhao et al., 2023, arXiv:2304.11277).

python -m jobs.submit fsdp
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.config import by_scale
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import Precision, Recompute
from clusterlab.fit.strategies import Offload, Strategy
from clusterlab.run import METRICS
from jobs.launch.folder import run_folder
from jobs.parallel.settings import Device, Training
from jobs.parallel.workers import Notice, train_on_workers

if TYPE_CHECKING:
    from jobs.parallel.fsdp import FullySharded, Options
    from jobs.parallel.saves import Saves
    from jobs.parallel.tokens import Stream

PHASE = "fsdp"
MAX_LENGTH = 256
"""Tokens of a row on which the checkpoint is tried: one process computes them on its CPU."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Training):
    """One training with `fully_shard`."""

    precision: Precision = by_scale(
        tiny=Precision.FLOAT32, small=Precision.FLOAT32, single=Precision.MIXED, full=Precision.MIXED
    )
    """`mixed` computes in bfloat16 on float32 weights, and adds gradients up in float32."""
    recompute: Recompute = by_scale(
        tiny=Recompute.NONE, small=Recompute.NONE, single=Recompute.FULL, full=Recompute.FULL
    )
    """Which activations the backward pass computes again."""
    cpu_offload: bool = False
    """Keep the shards in the host's memory."""
    compile: bool = by_scale(tiny=False, small=False, single=True, full=True)
    """Compile each layer by `torch.compile`; on a GPU."""
    compare: bool = by_scale(tiny=True, small=True, single=False, full=False)
    """Train the first steps again in one process in float32, and compare the losses; it needs 16 bytes a parameter."""

    def footprint(self, num_gpus: int) -> Footprint:
        """What `clusterlab check` holds against the memory of the lab's accelerators."""
        offload = Offload.CPU if self.cpu_offload else Offload.NONE
        strategy = Strategy(zero_stage=3, data_parallel=num_gpus, offload=offload, recompute=self.recompute)
        return strategy.footprint(self.planned(self.precision))

    def problems(self) -> list[str]:
        """What is wrong with the values."""
        wrong = Training.problems(self)
        if self.compile and self.device is not Device.CUDA:
            wrong.append("COMPILE=true: allowed: with DEVICE=cuda; a CPU needs a compiler that a node need not have")
        return wrong


def main(config: Config) -> dict[str, float]:
    """Train, and return the metrics that go into the run record.

    Losses are in nats a token, memory in bytes a worker. `reloaded_loss_gap` is how far the loss of the trained model
    differs when one process reads its checkpoint whole; `loss_gap_to_one_process` is the largest difference of a loss
    in the first steps between the shards and one process that holds everything.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.parallel import one_process
    from jobs.parallel.gap_picture import draw_gap

    metrics, world_size = train_on_workers(_train, config, fewer=True)
    folder = run_folder()
    title = f"FSDP2, {config.model}, {world_size} workers"
    losses = read_losses(folder / METRICS)
    if config.compare:
        draw_gap({phase: losses[phase] for phase in (PHASE, one_process.PHASE)}, title, folder / "loss.png")
    else:
        draw_losses(losses, title, folder / "loss.png", per="token")
    return metrics | {"world_size": world_size}


def _train(config: Config, notice: Notice) -> dict[str, float]:
    """In each worker."""
    import torch.distributed as dist

    from jobs.parallel.fsdp import FullySharded
    from jobs.parallel.loop import check_batch, train
    from jobs.parallel.meter import Meter, peak_memory_gib, summary
    from jobs.parallel.one_process import loss_gap
    from jobs.parallel.saves import Saves
    from jobs.parallel.tokens import Stream

    world_size = dist.get_world_size()
    check_batch(config, world_size)
    stream, engine = Stream.of(config), FullySharded(config, _options(config))
    saves = Saves(folder=run_folder() / "checkpoints" / PHASE)
    meter = Meter(phase=PHASE, config=config, world_size=world_size)
    on_step = meter if dist.get_rank() == 0 else lambda _: None
    train(engine, stream, config, saves=saves, stop=notice.given(), on_step=on_step)
    states = engine.states()
    gap, peak = _reloaded_loss_gap(engine, stream, config, saves), peak_memory_gib()
    engine.close()
    if dist.get_rank() != 0:
        return {}
    meter.close()
    metrics = summary(config, PHASE, world_size) | {
        "parameters_bytes": states.parameters,
        "optimizer_bytes": states.optimizer,
        "peak_memory_gib": peak,
        "reloaded_loss_gap": gap,
    }
    return metrics | ({"loss_gap_to_one_process": loss_gap(config, stream, PHASE)} if config.compare else {})


def _options(config: Config) -> Options:
    from jobs.parallel.fsdp import Options

    return Options(
        precision=config.precision,
        recompute=config.recompute,
        cpu_offload=config.cpu_offload,
        compile=config.compile,
    )


def _reloaded_loss_gap(engine: FullySharded, stream: Stream, config: Config, saves: Saves) -> float:
    """How far the loss on the rows after the last step differs between all ranks' shards and one process's whole."""
    import torch
    import torch.distributed as dist

    from jobs.parallel.fsdp import loss_of_one_process

    rows = stream.rows(config.steps * config.global_batch_size, config.micro_batch_size)[:, : MAX_LENGTH + 1]
    with torch.no_grad():
        sharded = float(engine.loss(rows))
    if dist.get_rank() != 0:
        return 0.0
    return abs(loss_of_one_process(saves.path(config.steps), config, rows) - sharded)
