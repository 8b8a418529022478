"""Speed of the quantization sweep: on two workers against one, and our quantizers against a plain loop over layers."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from clusterlab.config import Source, parse
from jobs.llm.bases import Base
from jobs.llm.cache import VARIABLE as CACHE
from tests.bench.figure import ROOT, Figure

SWEPT = "rtn_8,rtn_4,rtn_3,llm_int8,nf4,nf4_dq,gptq_4,gptq_3,awq_4,awq_3"
PAIRS = 5


def sweep_on_two() -> list[Figure]:
    """The sweep at `tiny` on two workers against one; and a second time over the same rows."""
    from jobs.compress.methods import chosen
    from jobs.quantize import Config, _check, _setting

    config = parse(Config, {"SCALE": "tiny", "METHODS": SWEPT})
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {CACHE: f"{folder}/one", "CLUSTERLAB_RUN_DIR": folder}
        _check(chosen(SWEPT), _setting(config))
        base = _setting(config).base()
        config = parse(Config, {"SCALE": "tiny", "METHODS": SWEPT, "MODEL": str(base)})
        one, _ = _swept(config, num_cpus=1)
        os.environ[CACHE] = f"{folder}/two"
        two, rows = _swept(config, num_cpus=2)
        again, kept = _swept(config, num_cpus=2)
    return [
        Figure(
            what=f"Quantization sweep, tiny, {len(rows)} methods: two workers against one",
            measured=f"{one / two:.2f} ({one:.0f} s and {two:.0f} s)",
            wanted="at least 1.7 times",
            met=one / two >= 1.7,
        ),
        Figure(
            what="The same sweep again",
            measured=f"{again:.1f} s, {sum(row.kept for row in kept)} of {len(kept)} rows kept",
            wanted="every row kept",
            met=all(row.kept for row in kept),
        ),
    ]


def _swept(config: Any, num_cpus: int) -> tuple[float, list[Any]]:
    """Seconds of a sweep with so many workers, and its rows."""
    import ray

    from jobs.compress.methods import chosen
    from jobs.compress.sweep import Share, sweep
    from jobs.quantize import _setting

    ray.init(
        address="local",
        num_cpus=num_cpus,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=2**27,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    try:
        began = time.perf_counter()
        rows = sweep(chosen(config.methods), _setting(config), Share(cpus=1, gpus=0, seconds=900))
        return time.perf_counter() - began, rows
    finally:
        ray.shutdown()


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
