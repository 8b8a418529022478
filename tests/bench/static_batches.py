"""vLLM beside transformers, offline: what continuous batching is worth where answers differ in length, or do not."""

from __future__ import annotations

import os
import statistics
import tempfile

import ray

from clusterlab.config import parse
from jobs.launch.folder import VARIABLE
from jobs.llm.bases import Base
from jobs.versus.model import Pair, quantized
from jobs.versus.offline import compare_offline
from jobs.vllm_vs_transformers import Config, _calibration, _offline
from tests.bench.figure import ROOT, Figure, at_least

PAIRS = 5
DTYPE = "float32"
"""Of both; in 16 bits torch is slow on a CPU that has no unit for them."""


def over_static_batches() -> list[Figure]:
    """vLLM's useful tokens/s against those of transformers, offline, in turn; each pair draws other lengths."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        same, packed = ([_compared(pair, seed) for seed in range(PAIRS)] for pair in (_plain(), _quantized()))
    return [*_figures(same, f"both in {DTYPE}", least=4), *_figures(packed, "vLLM's in 4 bits")]


def _compared(pair: Pair, seed: int) -> dict[str, float]:
    config = parse(Config, {"SCALE": "tiny", "SEED": str(seed)})
    return dict(compare_offline(_offline(config, pair))["metrics"])


def _figures(found: list[dict[str, float]], weights: str, least: float | None = None) -> list[Figure]:
    same = min(metrics["agreement"] for metrics in found)
    of = f"128 prompts, 32 slots, tiny-llama-256, {weights}; at least {same:.1%} of the tokens are the same"
    return [
        _figure(found, "mixed", f"answers of 4, 8, 16 or 256 tokens, {of}", least=least),
        _figure(found, "uniform", f"answers of 64 tokens, {of}"),
    ]


def _plain() -> Pair:
    """One checkpoint for both, so that batching alone is under test."""
    folder = str(Base.of(parse(Config, {"SCALE": "tiny"}).model, lambda *_: None).folder())
    return Pair(quantized=folder, unpacked=folder, dtype=DTYPE, unpacked_dtype=DTYPE, metrics={})


def _quantized() -> Pair:
    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    try:
        return quantized(_calibration(parse(Config, {"SCALE": "tiny"})))
    finally:
        ray.shutdown()


def _figure(found: list[dict[str, float]], name: str, what: str, least: float | None = None) -> Figure:
    ratios = [metrics[f"gain_{name}_static"] for metrics in found]
    ratio = statistics.median(ratios)
    vllm, static, single = (
        statistics.median(metrics[f"offline_{name}_{engine}"] for metrics in found)
        for engine in ("vllm", "static", "one_by_one")
    )
    fewer = statistics.median(metrics["gain_steps"] for metrics in found)
    draws = f"{len(ratios)} draws; a {fewer:.1f}th of the steps" if name == "mixed" else f"{len(ratios)} pairs"
    return Figure(
        what=f"vLLM's useful tokens/s against transformers' static batches on a CPU, offline, {what}",
        measured=f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {draws}; "
        f"{vllm:,.0f} and {static:,.0f} tokens/s, one by one {single:,.0f})",
        **at_least(ratio, least),
    )
