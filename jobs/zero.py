"""ZeRO: what each stage keeps on a rank, measured against its formula (Rajbhandari et al., 2020, arXiv:1910.02054).

python -m jobs.submit zero
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.config import by_scale
from clusterlab.fit import strategies as fit
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import ZERO_STAGES, Precision, Recompute, model_states
from clusterlab.run import METRICS
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.parallel.settings import Device, Training
from jobs.parallel.workers import Notice, train_on_workers

if TYPE_CHECKING:
    from jobs.parallel.tokens import Stream
    from jobs.parallel.zero import Options, Zero

PAPER_PARAMETERS, PAPER_RANKS = 7_500_000_000, 64
"""Of figure 1."""
OFFLOADS = ("none", "cpu", "nvme", "cpu,nvme")
RECORDED = {"loss", "seconds_per_step", "mfu", "peak_memory_gib", "ran"}
"""Of what a case measured besides bytes."""
CASES = "cases"
"""The folder with what each complete case measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Training):
    """One training for each stage, and again for each that offloads."""

    stages: str = by_scale(tiny="0,1,2,3", small="0,1,2,3", single="0,1,2,3", full="1,2,3")
    """Which to train with, separated by commas; 0 is plain data parallelism."""
    offload: str = by_scale(tiny="cpu", small="cpu", single="cpu,nvme", full="cpu")
    """`none`, `cpu` (stages 2 and 3 again, states in the host's memory), `nvme` (stage 3 again, on a disk), `cpu,nvme`.

    The disk needs libaio and a C++ compiler on the nodes, which build DeepSpeed's I/O for minutes the first time.
    """
    precision: Precision = by_scale(
        tiny=Precision.FLOAT32, small=Precision.FLOAT32, single=Precision.MIXED, full=Precision.MIXED
    )
    """`mixed` has weights and gradients in bfloat16, and a float32 master copy."""
    recompute: Recompute = by_scale(
        tiny=Recompute.NONE, small=Recompute.NONE, single=Recompute.FULL, full=Recompute.FULL
    )
    """Which activations the backward pass computes again."""
    micro_batch_size: int = by_scale(tiny=2, small=2, single=1, full=1)
    """Rows that a rank computes at once; two micro-batches a step at least, gradients are measured between them."""

    def problems(self) -> list[str]:
        """What is wrong with the values."""
        wrong = Training.problems(self)
        stages = self.stages.split(",")
        if not set(stages) <= {str(stage) for stage in ZERO_STAGES} or len(set(stages)) < len(stages):
            wrong.append(f"STAGES={self.stages}: allowed: some of 0,1,2,3, each once")
        if self.offload not in OFFLOADS:
            wrong.append(f"OFFLOAD={self.offload}: allowed: {'; '.join(OFFLOADS)}")
        return wrong

    def footprint(self, num_gpus: int) -> Footprint:
        """Bytes that the case with the most takes of a GPU, and the one with the most of the host."""
        training = fit.Training(
            shape=self.shape,
            seq_length=self.seq_length,
            micro_batch_size=self.micro_batch_size,
            precision=self.precision,
        )
        needed = [
            fit.Strategy(
                zero_stage=stage, data_parallel=num_gpus, offload=fit.Offload(where), recompute=self.recompute
            ).footprint(training)
            for stage, where in self.plan()
        ]
        fullest = max(needed, key=lambda each: each.gpu)
        return dataclasses.replace(fullest, host=max(each.host for each in needed))

    def plan(self) -> list[tuple[int, str]]:
        """Stage and offload of each case, in order."""
        stages = sorted(int(stage) for stage in self.stages.split(","))
        places = [where for where in self.offload.split(",") if where != "none"]
        # DeepSpeed swaps to a disk at stage 3 only.
        offloading = {"cpu": (2, 3), "nvme": (3,)}
        return [(stage, "none") for stage in stages] + [
            (stage, where) for where in places for stage in offloading[where] if stage in stages
        ]


def main(config: Config) -> dict[str, float]:
    """Train once a case, and return the metrics that go into the run record.

    Losses are in nats a token. Bytes are those of the fullest rank, `predicted` by the formulas of the paper; a
    `memory_gap` is the share that the measured differ by. `paper_zero_3_gb` and its like are figure 1 of the paper.
    """
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.parallel.states_picture import draw_states

    metrics, world_size = train_on_workers(_train, config, fewer=True)
    folder = run_folder()
    found = {path.stem: json.loads(path.read_text()) for path in (folder / CASES).glob("*.json")}
    cases = {name: found[name] for name in cases_of(config, folder) if name in found}
    losses = read_losses(folder / METRICS)
    title = f"ZeRO, {config.model}, {config.precision}, {world_size} workers"
    draw_losses(losses, title, folder / "loss.png", per="token", coincide=True)
    draw_states(cases, paper_gb(), title, folder / "memory.png")
    return metrics | _differences(cases, losses) | {f"paper_{name}_gb": gb for name, gb in paper_gb().items()}


def cases_of(config: Config, folder: Path) -> dict[str, Options]:
    """How each case holds the model, by the name of its phase."""
    from jobs.parallel.zero import Offload, Options

    return {
        f"zero-{stage}" + ("" if where == "none" else f"-{where}"): Options(
            stage=stage,
            precision=config.precision,
            recompute=config.recompute,
            offload=Offload(where),
            swap=folder / "swap" if where == "nvme" else None,
        )
        for stage, where in config.plan()
    }


def paper_gb() -> dict[str, float]:
    """Figure 1 of the paper: 10^9 bytes per rank by stage, of 7.5 billion weights in mixed precision on 64 ranks."""
    return {
        f"zero_{stage}": model_states(
            PAPER_PARAMETERS, zero_stage=stage, world_size=PAPER_RANKS, precision=Precision.MIXED
        ).total
        / 1e9
        for stage in ZERO_STAGES
    }


def _train(config: Config, notice: Notice) -> dict[str, float]:
    """In each worker: every case that no attempt has completed yet."""
    import torch.distributed as dist

    from jobs.parallel.cases import once
    from jobs.parallel.loop import check_batch
    from jobs.parallel.tokens import Stream
    from jobs.parallel.zero import num_micro_batches

    world_size = dist.get_world_size()
    check_batch(config, world_size)
    num_micro_batches(config, world_size)
    stream, parts = Stream.of(config), Finished(folder=run_folder() / CASES)
    metrics: dict[str, float] = {"world_size": world_size}
    for name, options in cases_of(config, run_folder()).items():
        case = once(parts, name, partial(_run_case, name, options, config, stream, notice))
        # The next case needs the disk.
        shutil.rmtree(_checkpoints(name), ignore_errors=True)
        metrics |= _flat(name, case)
    return metrics


def _run_case(name: str, options: Options, config: Config, stream: Stream, notice: Notice) -> dict[str, Any]:
    """Train in one way; returns what rank 0 records of it."""
    import torch
    import torch.distributed as dist

    from jobs.parallel.loop import train
    from jobs.parallel.meter import Meter, peak_memory_gib, summary
    from jobs.parallel.saves import Saves
    from jobs.parallel.zero import Offload, Zero, predicted, why_no_swapping

    missing = why_no_swapping(config.device) if options.offload is Offload.NVME else None
    if missing:
        if dist.get_rank() == 0:
            print(f"{name}: left out: {missing}", flush=True)
        return {"ran": 0}
    on_gpu = config.device is Device.CUDA
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    engine, world_size = Zero(config, options), dist.get_world_size()
    # What DeepSpeed has swapped to a disk it does not restore exactly, so that such a case begins again.
    saves = None if options.offload is Offload.NVME else Saves(folder=_checkpoints(name))
    meter = Meter(phase=name, config=config, world_size=world_size)
    on_step = meter if dist.get_rank() == 0 else lambda _: None
    train(engine, stream, config, saves=saves, stop=notice.given(), on_step=on_step)
    states = _fullest(engine, stream, config)
    engine.close()
    if dist.get_rank() != 0:
        return {}
    meter.close()
    # What a process on a CPU once held it keeps: only a GPU tells the peak of one case.
    peak = {"peak_memory_gib": peak_memory_gib()} if on_gpu else {}
    return {
        "ran": 1,
        **peak,
        "measured": dataclasses.asdict(states),
        "predicted": dataclasses.asdict(predicted(config.shape.num_parameters, options, world_size)),
        **summary(config, name, world_size),
    }


def _fullest(engine: Zero, stream: Stream, config: Config) -> Any:
    """The states of the rank that holds most; all ranks at once."""
    import torch.distributed as dist

    from jobs.parallel.tokens import micro_batches

    if not engine.has_stepped:
        # Killed after its last step: one step more, of an engine that is dropped next, has the gradients again.
        rows = micro_batches(stream, config, config.steps + 1, rank=engine.data_rank, size=engine.data_size)
        engine.train_step(rows)
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, engine.states())
    return max(found, key=lambda states: states.total)


def _checkpoints(name: str) -> Path:
    return run_folder() / "checkpoints" / name


def _flat(name: str, case: dict[str, Any]) -> dict[str, float]:
    """A case's numbers by name of metric."""
    prefix = name.replace("-", "_")
    if not case["ran"]:
        return {f"{prefix}_ran": 0}
    values: dict[str, float] = {key: value for key, value in case.items() if key in RECORDED}
    values |= {f"{part}_bytes": number for part, number in case["measured"].items()}
    values |= {f"{which}_bytes": sum(case[which].values()) for which in ("measured", "predicted")}
    values["memory_gap"] = _gap(case)
    return {f"{prefix}_{key}": value for key, value in values.items()}


def _gap(case: dict[str, Any]) -> float:
    measured, predicted = (sum(map(float, case[which].values())) for which in ("measured", "predicted"))
    return abs(measured - predicted) / predicted


def _differences(cases: dict[str, Any], losses: dict[str, dict[int, float]]) -> dict[str, float]:
    """The largest gap of memory, and the most that the losses of any step differ between two cases."""
    ran = [name for name, case in cases.items() if case["ran"]]
    steps = set.intersection(*(set(losses[name]) for name in ran))
    spread = (max(losses[name][step] for name in ran) - min(losses[name][step] for name in ran) for step in steps)
    return {"memory_gap": max(_gap(cases[name]) for name in ran), "loss_gap": max(spread, default=math.nan)}
