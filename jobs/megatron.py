"""Megatron: cut a model's matrices, layers and rows over ranks (Shoeybi et al., 2019; Korthikanti et al., 2022).

python -m jobs.submit megatron
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clusterlab.config import by_scale
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import FLOAT32_BYTES, Precision, Recompute
from clusterlab.fit.strategies import Strategy
from clusterlab.run import METRICS
from jobs.launch.folder import run_folder
from jobs.parallel.layout import Layout
from jobs.parallel.settings import Device, Training
from jobs.parallel.workers import Notice, train_on_workers

if TYPE_CHECKING:
    from jobs.parallel.megatron_model import Options

PHASE = "megatron"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Training):
    """One training by megatron-core; the workers that the three factors leave over are data parallel."""

    tensor_parallel: int = by_scale(tiny=2, small=2, single=1, full=2)
    """Into how many parts each matrix is cut."""
    pipeline_parallel: int = 1
    """Into how many stages the layers are put."""
    context_parallel: int = 1
    """Into how many parts each row is cut; with Transformer Engine."""
    sequence_parallel: bool = by_scale(tiny=False, small=False, single=False, full=True)
    """Cut what tensor parallelism leaves whole, the norms' activations, along the row."""
    precision: Precision = by_scale(
        tiny=Precision.FLOAT32, small=Precision.FLOAT32, single=Precision.MIXED, full=Precision.MIXED
    )
    """`mixed` computes in bfloat16, with float32 master weights and gradients."""
    recompute: Recompute = by_scale(
        tiny=Recompute.NONE, small=Recompute.NONE, single=Recompute.FULL, full=Recompute.SELECTIVE
    )
    """Which activations the backward pass computes again."""
    distributed_optimizer: bool = by_scale(tiny=False, small=False, single=True, full=True)
    """Share the optimizer's state out over the data parallel ranks, as ZeRO's stage 1."""
    compare: bool = by_scale(tiny=True, small=True, single=True, full=False)
    """Train the first steps again in one process in float32, and compare the losses; it needs 16 bytes a parameter."""

    @property
    def layout(self) -> Layout:
        """How the model lies over the workers."""
        return Layout(
            tensor_parallel=self.tensor_parallel,
            pipeline_parallel=self.pipeline_parallel,
            context_parallel=self.context_parallel,
            sequence_parallel=self.sequence_parallel,
        )

    def footprint(self, num_gpus: int) -> Footprint:
        """What `clusterlab check` holds against the memory of the lab's accelerators.

        The gradients are in float32, and the activations are counted with sequence parallelism.
        """
        wrong = self.layout.world_problem(num_gpus)
        if wrong:
            raise ValueError(wrong)
        strategy = Strategy(
            zero_stage=1 if self.distributed_optimizer else 0,
            data_parallel=self.layout.data_parallel(num_gpus),
            tensor_parallel=self.tensor_parallel,
            pipeline_parallel=self.pipeline_parallel,
            recompute=self.recompute,
        )
        footprint = strategy.footprint(self.planned(self.precision))
        return replace(footprint, gradients=footprint.gradients * FLOAT32_BYTES // self.precision.value_bytes)

    def problems(self) -> list[str]:
        """What is wrong with the values."""
        wrong = Training.problems(self)
        if wrong:
            return wrong
        wrong = self.layout.problems(self.shape, self.seq_length)
        world = self.layout.world_problem(self.min_workers)
        if world:
            wrong.append(f"MIN_WORKERS={self.min_workers}: {world}")
        return wrong + (self._needs_cuda() if self.device is Device.CPU else [])

    def _needs_cuda(self) -> list[str]:
        """What megatron-core cannot do on a CPU, with the reason."""
        reasons = {
            "context_parallel": "its own attention takes whole rows; Transformer Engine's is made of CUDA kernels",
            "precision": "its optimizer of 16-bit weights takes CUDA tensors only",
            "recompute": "it saves and restores a CUDA device's random state around what it computes again",
            "distributed_optimizer": "that takes CUDA tensors only",
        }
        allowed = {
            "context_parallel": 1,
            "precision": Precision.FLOAT32,
            "recompute": Recompute.NONE,
            "distributed_optimizer": False,
        }
        return [
            f"{name.upper()}={str(getattr(self, name)).lower()}: megatron-core cannot do it on a CPU: {reasons[name]};"
            f" allowed: {str(value).lower()}, or DEVICE=cuda"
            for name, value in allowed.items()
            if getattr(self, name) != value
        ]


def main(config: Config) -> dict[str, float]:
    """Train, and return the metrics that go into the run record.

    Losses are in nats a token. `parameters_per_worker` is the most that any rank holds, and what
    `parameters_per_worker_by_formula` says of it; `loss_gap_to_one_process` is the largest difference of a loss in the
    first steps between the layout and one process that holds everything.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.parallel import one_process
    from jobs.parallel.gap_picture import draw_gap
    from jobs.parallel.layout_picture import draw_layout

    metrics, world_size = train_on_workers(_train, config, fewer=False, check=config.layout.check_world)
    folder, layout = run_folder(), config.layout
    title = f"{config.model} by megatron-core, {layout.factors(world_size)}"
    losses = read_losses(folder / METRICS)
    if config.compare:
        draw_gap({phase: losses[phase] for phase in (PHASE, one_process.PHASE)}, title, folder / "loss.png")
    else:
        draw_losses(losses, title, folder / "loss.png", per="token")
    draw_layout(layout, config.shape, world_size, title, folder / "layout.png")
    return metrics | {
        "world_size": world_size,
        "tensor_parallel": layout.tensor_parallel,
        "pipeline_parallel": layout.pipeline_parallel,
        "context_parallel": layout.context_parallel,
        "data_parallel": layout.data_parallel(world_size),
    }


def _train(config: Config, notice: Notice) -> dict[str, float]:
    """In each worker."""
    import torch.distributed as dist

    from jobs.parallel.loop import train
    from jobs.parallel.megatron import Megatron
    from jobs.parallel.meter import Meter, peak_memory_gib, summary
    from jobs.parallel.one_process import loss_gap
    from jobs.parallel.saves import Saves
    from jobs.parallel.tokens import Stream

    rank, world_size, layout = dist.get_rank(), dist.get_world_size(), config.layout
    stream, engine = Stream.of(config), Megatron(config, _options(config))
    saves = Saves(folder=run_folder() / "checkpoints" / PHASE)
    meter = Meter(phase=PHASE, config=config, world_size=world_size)
    train(engine, stream, config, saves=saves, stop=notice.given(), on_step=meter if rank == 0 else lambda _: None)
    held: list[int] = [0] * world_size
    dist.all_gather_object(held, engine.num_parameters)
    peak = peak_memory_gib()
    engine.close()
    if rank != 0:
        return {}
    meter.close()
    by_formula = max(layout.num_parameters(config.shape, stage) for stage in range(layout.pipeline_parallel))
    return (
        summary(config, PHASE, world_size)
        | {"parameters_per_worker": max(held), "parameters_per_worker_by_formula": by_formula, "peak_memory_gib": peak}
        | ({"loss_gap_to_one_process": loss_gap(config, stream, PHASE)} if config.compare else {})
    )


def _options(config: Config) -> Options:
    from jobs.parallel.megatron_model import Options

    return Options(
        layout=config.layout,
        precision=config.precision,
        recompute=config.recompute,
        distributed_optimizer=config.distributed_optimizer,
    )
