"""Speed of the quantization sweep: on two workers against one, and our quantizers against a plain loop over layers."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import psutil

from clusterlab.config import Source, parse
from jobs.llm.bases import Base
from jobs.llm.cache import VARIABLE as CACHE
from tests.bench.figure import ROOT, Figure

SWEPT = "all"
PAIRS = 5
SAMPLED_SECONDS = 0.1


def sweep_on_two() -> list[Figure]:
    """The sweep at `tiny` on two workers against one, what it holds, and a second time over the same rows."""
    from jobs.compress.methods import chosen
    from jobs.quantize import Config, _check, _setting

    config = parse(Config, {"SCALE": "tiny", "METHODS": SWEPT})
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {CACHE: f"{folder}/one", "CLUSTERLAB_RUN_DIR": folder}
        _check(chosen(SWEPT), _setting(config))
        base = _setting(config).base()
        config = parse(Config, {"SCALE": "tiny", "METHODS": SWEPT, "MODEL": str(base)})
        one, most, rows = _swept(config, num_cpus=1)
        os.environ[CACHE] = f"{folder}/two"
        two, _, _ = _swept(config, num_cpus=2)
        again, _, kept = _swept(config, num_cpus=2)
    largest = max(row.metrics["peak_memory_gib"] for row in rows if row.metrics)
    return [
        Figure(
            what=f"Quantization sweep, tiny, {len(rows)} methods: two workers against one",
            measured=f"{one / two:.2f} ({one:.0f} s and {two:.0f} s)",
            wanted="at least 1.7 times",
            met=one / two >= 1.7,
        ),
        Figure(
            what="Memory of the same sweep on one worker against that of its largest method",
            measured=f"{most / largest:.2f} ({most:.2f} GiB and {largest:.2f} GiB)",
            wanted="at most 1.2",
            met=most / largest <= 1.2,
        ),
        Figure(
            what="The same sweep again",
            measured=f"{again:.1f} s, {sum(row.kept for row in kept)} of {len(kept)} rows kept",
            wanted="every row kept",
            met=all(row.kept for row in kept),
        ),
    ]


def _swept(config: Any, num_cpus: int) -> tuple[float, float, list[Any]]:
    """Seconds of a sweep with so many workers, the most GiB that it added to an idle Ray, and its rows."""
    import ray

    from jobs.compress.methods import chosen
    from jobs.compress.sweep import Share, sweep
    from jobs.quantize import _setting

    # As the job does before it sweeps, or a worker would read the text and hold what that takes.
    _setting(config).prepared()
    ray.init(
        address="local",
        num_cpus=num_cpus,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=2**27,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    try:
        idle, began = _held_gib(), time.perf_counter()
        # To look takes most of a core, which two workers do not leave.
        with _most_gib() if num_cpus == 1 else nullcontext([idle]) as most:
            rows = sweep(chosen(config.methods), _setting(config), Share(cpus=1, gpus=0, seconds=900))
        return time.perf_counter() - began, most[-1] - idle, rows
    finally:
        ray.shutdown()


@contextmanager
def _most_gib() -> Iterator[list[float]]:
    """The most that this process and all below it hold at once meanwhile, as the last of the list."""
    most, done = [_held_gib()], threading.Event()

    def look() -> None:
        while not done.wait(SAMPLED_SECONDS):
            most.append(max(most[-1], _held_gib()))

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look)
        try:
            yield most
        finally:
            done.set()
        looking.result()


def _held_gib() -> float:
    """What this process and all below it hold now; a page that several have counts once."""
    held = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held += process.memory_full_info().pss
    return held / 2**30


def rounding() -> list[Figure]:
    """Round to nearest at 4 bits against a plain loop over layers, in turn."""
    from jobs.compress.size import linear_shapes

    found = []
    for source in ("tiny-llama-256", "smollm2-135m-instruct"):
        model = Base.of(Source(source), lambda *_: None).load(quantized=False)
        layers = {name: model.get_submodule(name).weight.data for name in linear_shapes(model)}
        ratios = _ratios(partial(_plain_loop, layers), partial(_ours, layers))
        found.append(_figure(f"Round to nearest, 4 bits, {source}: a plain loop over layers against ours", ratios))
    return found


def nf4_load() -> list[Figure]:
    """Loading a model in NF4 against loading it and replacing its layers in a plain loop, in turn."""
    found = []
    for source in ("tiny-llama-256", "smollm2-135m-instruct"):
        base = Base.of(Source(source), lambda *_: None)
        ratios = _ratios(partial(_plain_nf4, base), partial(base.load, quantized=True))
        found.append(_figure(f"NF4 load, {source}: a plain loop over layers against ours", ratios))
    return found


def _ratios(theirs: Callable[[], Any], ours: Callable[[], Any]) -> list[float]:
    """Their seconds over ours, of pairs in turn after one of each that warms up."""
    import torch

    torch.set_num_threads(1)
    theirs(), ours()
    return [_seconds(theirs) / _seconds(ours) for _ in range(PAIRS)]


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _figure(what: str, ratios: list[float]) -> Figure:
    median = statistics.median(ratios)
    measured = f"{median:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs, one thread)"
    return Figure(what=what, measured=measured, wanted="at least 1", met=median >= 1)


def _ours(layers: dict[str, Any]) -> dict[str, Any]:
    from jobs.compress.rtn import round_layers

    return dict(round_layers(layers, 4, 64))


def _plain_loop(layers: dict[str, Any]) -> dict[str, Any]:
    """What one writes first: layer by layer, the same values, scales, zeros and words."""
    import torch

    found = {}
    for name, weight in layers.items():
        groups = weight.float().reshape(weight.shape[0], -1, 64)
        low, high = groups.amin(-1, keepdim=True).clamp(max=0), groups.amax(-1, keepdim=True).clamp(min=0)
        scales = ((high - low) / 15).half().float()
        zeros = (-low / scales).round().clamp(0, 15)
        values = ((groups / scales).round() + zeros).clamp(0, 15).reshape(weight.shape).T.int()
        flat = zeros.squeeze(-1).int()
        shifts = torch.arange(0, 32, 4, dtype=torch.int32)
        qweight = (values.reshape(-1, 8, values.shape[1]) << shifts[:, None]).sum(1, dtype=torch.int32)
        qzeros = (flat.reshape(-1, 8, flat.shape[1]) << shifts[:, None]).sum(1, dtype=torch.int32)
        found[name] = {"qweight": qweight, "qzeros": qzeros.T, "scales": scales.squeeze(-1).T.half()}
    return found


def _plain_nf4(base: Base) -> Any:
    """The model as it is, and each of its layers replaced by one of bitsandbytes."""
    import bitsandbytes
    import torch

    from jobs.compress.size import linear_shapes

    model = base.load(quantized=False)
    for name in linear_shapes(model):
        parent, _, last = name.rpartition(".")
        old = model.get_submodule(name)
        new = bitsandbytes.nn.Linear4bit(
            old.in_features, old.out_features, bias=False, quant_type="nf4", compress_statistics=True
        )
        new.weight = bitsandbytes.nn.Params4bit(
            old.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
        )
        setattr(model.get_submodule(parent), last, new.to(torch.device("cpu")))
    return model
