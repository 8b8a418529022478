"""The training loop of every engine: rows by number, one reduction a step, checkpoints beside it, the same from any."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.parallel.engine import Engine
from jobs.parallel.saves import Saves
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream, micro_batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step that was computed."""

    number: int
    """Counted from 1."""
    loss: float
    """In nats a token, the mean over the global batch, before the step's update."""
    seconds: float
    saving: bool
    """Whether a checkpoint was being written meanwhile."""


def train(
    engine: Engine,
    stream: Stream,
    config: Training,
    *,
    saves: Saves | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Step], None] = lambda _: None,
) -> list[Step]:
    """Train to `config.steps`, from the newest checkpoint on; every rank of the process group at once.

    When `stop` says so at any rank, all save after the same step.

    Returns the steps that this attempt computed.

    Raises:
        KeyboardInterrupt: it was stopped, and the checkpoint is written.
        InputError: the ranks cannot share the batch evenly.
        StorageError: a checkpoint cannot be written.
    """
    check_batch(config, engine.data_size)
    first = 1 + (saves.resume(engine) if saves else 0)
    done = []
    for number in range(first, config.steps + 1):
        began = time.perf_counter()
        saving = saves is not None and saves.in_flight
        rows = micro_batches(stream, config, number, rank=engine.data_rank, size=engine.data_size)
        written = saves is not None and saves.is_written()
        loss, stopping, all_written = _agree(engine.train_step(rows), stop=stop(), written=written)
        if saves and all_written:
            saves.seal()
        done.append(Step(number=number, loss=loss, seconds=time.perf_counter() - began, saving=saving))
        on_step(done[-1])
        if saves and (stopping or number % config.checkpoint_every == 0 or number == config.steps):
            saves.finish()
            saves.begin(number, engine)
        if stopping and number < config.steps:
            if saves:
                saves.finish()
            raise KeyboardInterrupt
    if saves:
        saves.finish()
    return done


def check_batch(config: Training, data_size: int) -> None:
    """Refuse a global batch that so many ranks cannot share evenly in micro-batches.

    Raises:
        InputError: with what would do.
    """
    if config.global_batch_size % (config.micro_batch_size * data_size):
        message = (
            f"must be a multiple of MICRO_BATCH_SIZE={config.micro_batch_size} times {data_size} data-parallel ranks"
        )
        raise InputError(Problem(path=f"GLOBAL_BATCH_SIZE={config.global_batch_size}", message=message))


def _agree(loss: Any | None, *, stop: bool, written: bool) -> tuple[float, bool, bool]:
    """What all ranks know together, by one sum: the mean loss, whether any is to stop, whether all have written."""
    import torch
    import torch.distributed as dist

    device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
    total = torch.zeros(4, device=device)
    if loss is not None:
        total[0], total[1] = loss, 1
    total[2], total[3] = float(stop), float(written)
    dist.all_reduce(total)
    sum_of_losses, num_losses, stopping, num_written = total.tolist()
    return sum_of_losses / num_losses, stopping > 0, num_written == dist.get_world_size()
