"""What a step cost: tokens and operations a second, and bytes; written for programs and for TensorBoard."""

from __future__ import annotations

import resource
import statistics
from dataclasses import dataclass
from typing import Any

from clusterlab.run import METRICS
from jobs.launch.folder import report, run_folder
from jobs.llm.curve import read_rows
from jobs.parallel.loop import Step
from jobs.parallel.settings import Device, Training

BOARD = "tensorboard"


@dataclass(kw_only=True, slots=True)
class Meter:
    """Writes each step of one phase, at rank 0."""

    phase: str
    config: Training
    world_size: int
    _board: Any = None

    def __call__(self, step: Step) -> None:
        """Write one step to `metrics.jsonl` and TensorBoard."""
        values = {"loss": step.loss, "seconds": step.seconds, "memory_gib": peak_memory_gib()}
        values |= speed(self.config, step.seconds, self.world_size)
        report(self.phase, step.number, self.config.steps, **values)
        if self._board is None:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(str(run_folder() / BOARD / self.phase), flush_secs=5)
        for name, value in values.items():
            self._board.add_scalar(name, value, step.number)

    def close(self) -> None:
        """Write out what TensorBoard has not yet."""
        if self._board is not None:
            self._board.close()


def speed(config: Training, seconds: float, world_size: int) -> dict[str, float]:
    """Of a step that took so long: tokens a second of all workers, TFLOP/s of each, and MFU.

    MFU is the share of the accelerator's peak in the catalog that the model's own operations took (PaLM,
    arXiv:2204.02311, appendix B); it is left out where the catalog has no peak, as of a CPU.
    """
    tokens_per_second = config.global_batch_size * config.seq_length / seconds
    tflops = tokens_per_second * config.shape.flops_per_token(config.seq_length) / 1e12 / world_size
    values = {"tokens_per_second": tokens_per_second, "tflops_per_worker": tflops}
    peak = _peak_tflops() if config.device is Device.CUDA else None
    return values if peak is None else values | {"mfu": tflops / peak}


def peak_memory_gib() -> float:
    """The most that this process has held: allocated GPU memory, or on a CPU its resident set."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated() / 2**30)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def summary(config: Training, phase: str, world_size: int) -> dict[str, float]:
    """Of the steps of a phase, whichever attempt computed them: the last loss, and the speed of the median step."""
    rows = [row for row in read_rows(run_folder() / METRICS) if row["phase"] == phase]
    seconds = statistics.median(row["seconds"] for row in rows)
    return {"loss": rows[-1]["loss"], "seconds_per_step": seconds, **speed(config, seconds, world_size)}


def _peak_tflops() -> float | None:
    import torch

    from clusterlab.catalog import peak_tflops_of

    peak = peak_tflops_of(torch.cuda.get_device_name())
    return None if peak is None else float(peak)
