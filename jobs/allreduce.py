"""All-reduce over all nodes: is the sum right, and how fast does it come (NVIDIA nccl-tests, PERFORMANCE.md)?

python -m jobs.submit allreduce
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from enum import StrEnum

from clusterlab.config import Scale, by_scale
from jobs.launch.folder import report, run_folder

NUMBER_BYTES = 4
"""Messages are made of float32."""
PERIOD = 1000


class Device(StrEnum):
    """What holds the messages, and so which library sends them."""

    CPU = "cpu"
    """gloo."""
    CUDA = "cuda"
    """NCCL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A range of message sizes, each reduced again and again."""

    scale: Scale
    """How big; sets every value below that is not given."""
    device: Device = by_scale(tiny=Device.CPU, small=Device.CPU, single=Device.CUDA, full=Device.CUDA)
    min_workers: int = 2
    """A worker a GPU with `cuda`, one a node with `cpu`; more a node where these are fewer."""
    smallest_bytes: int = 8
    """The first message."""
    factor: int = by_scale(tiny=8, small=4, single=2, full=2)
    """From one message to the next."""
    largest_bytes: int = by_scale(tiny=2**21, small=2**25, single=2**28, full=2**32)
    """No message is larger."""
    warmup: int = by_scale(tiny=2, small=5, single=5, full=5)
    """All-reduces of each size that are not timed."""
    repeats: int = by_scale(tiny=10, small=20, single=20, full=50)
    """All-reduces of each size that are."""

    def __post_init__(self) -> None:
        least = {"min_workers": 2, "smallest_bytes": NUMBER_BYTES, "factor": 2, "repeats": 1, "warmup": 0}
        least["largest_bytes"] = self.smallest_bytes
        values = dataclasses.asdict(self)
        wrong = [
            f"{key.upper()}={values[key]}: must be {low} or more" for key, low in least.items() if values[key] < low
        ]
        if wrong:
            raise ValueError("; ".join(wrong))

    def sizes(self) -> list[int]:
        """Bytes of each message, from the smallest on."""
        sizes = [self.smallest_bytes]
        while sizes[-1] * self.factor <= self.largest_bytes:
            sizes.append(sizes[-1] * self.factor)
        return sizes


def main(config: Config) -> dict[str, float]:
    """Reduce messages of every size, and return the metrics that go into the run record.

    Bandwidths are in 10^9 bytes a second at the largest message, `latency_us` in microseconds at the smallest;
    `sum_error` is the largest difference from the right sum that any worker saw at any size.
    """
    from jobs.collective.group import process_group

    with process_group(use_gpu=config.device is Device.CUDA, min_workers=config.min_workers) as group:
        print(f"{group.world_size} workers on {group.num_nodes} node(s)", flush=True)
        seconds, sum_error = {}, 0.0
        for step, size in enumerate(config.sizes(), start=1):
            outcomes = group.call(_measure, config, size)
            seconds[size] = max(each.seconds for each in outcomes)
            sum_error = max(sum_error, *(each.sum_error for each in outcomes))
            _report(step, config, size, seconds[size], group.world_size)
    _draw(config, seconds, group.world_size)
    smallest, largest = min(seconds), max(seconds)
    return {
        "num_nodes": group.num_nodes,
        "world_size": group.world_size,
        "sum_error": sum_error,
        "latency_us": seconds[smallest] * 1e6,
        "algorithm_bandwidth_gb_per_second": algorithm_bandwidth(largest, seconds[largest]),
        "bus_bandwidth_gb_per_second": bus_bandwidth(largest, seconds[largest], group.world_size),
    }


def algorithm_bandwidth(num_bytes: int, seconds: float) -> float:
    """Size by time, in 10^9 bytes a second."""
    return num_bytes / seconds / 1e9


def bus_bandwidth(num_bytes: int, seconds: float, world_size: int) -> float:
    """What each link carries, in 10^9 bytes a second: a rank must send and receive 2(n-1)/n of the message."""
    return algorithm_bandwidth(num_bytes, seconds) * 2 * (world_size - 1) / world_size


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What one worker saw."""

    seconds: float
    """Of one all-reduce, on average."""
    sum_error: float


def _measure(config: Config, num_bytes: int) -> _Outcome:
    """In each worker: check one sum, then time the rest."""
    import torch
    import torch.distributed as dist

    device = torch.device(config.device)
    message = torch.arange(num_bytes // NUMBER_BYTES, device=device, dtype=torch.float32).remainder_(PERIOD)
    # Whole numbers far below 2^24, so the sum is exact in any order.
    wanted = (message * dist.get_world_size()).add_(sum(range(dist.get_world_size())))
    message += dist.get_rank()
    dist.all_reduce(message)
    sum_error = float(message.sub_(wanted).abs_().max())
    message.zero_()
    for _ in range(config.warmup):
        dist.all_reduce(message)
    dist.barrier()
    _wait_for_device(config.device)
    start = time.perf_counter()
    for _ in range(config.repeats):
        dist.all_reduce(message)
    _wait_for_device(config.device)
    return _Outcome(seconds=(time.perf_counter() - start) / config.repeats, sum_error=sum_error)


def _wait_for_device(device: Device) -> None:
    import torch

    if device is Device.CUDA:
        torch.cuda.synchronize()


def _report(step: int, config: Config, size: int, seconds: float, world_size: int) -> None:
    values = {
        "bytes": size,
        "microseconds": seconds * 1e6,
        "algorithm_bandwidth_gb_per_second": algorithm_bandwidth(size, seconds),
        "bus_bandwidth_gb_per_second": bus_bandwidth(size, seconds, world_size),
    }
    report("all-reduce", step, len(config.sizes()), **values)


def _draw(config: Config, seconds: dict[int, float], world_size: int) -> None:
    from jobs.collective.picture import draw_bandwidth

    curves = {
        "algorithm": {size: algorithm_bandwidth(size, each) for size, each in seconds.items()},
        "bus": {size: bus_bandwidth(size, each, world_size) for size, each in seconds.items()},
    }
    title = f"All-reduce, {world_size} workers, {config.device}"
    draw_bandwidth(curves, title, run_folder() / "bandwidth.png")
