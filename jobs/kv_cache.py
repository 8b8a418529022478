"""KV cache: what a token takes, what paging saves (Kwon et al., 2023), and what a cached prefix saves.

python -m jobs.submit kv_cache
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA
from jobs.paging.counters import Counters
from jobs.paging.kv_bytes import PUBLISHED, bytes_per_token, cache_bytes_per_token, skeleton
from jobs.paging.layouts import BLOCK_SIZES, CONTIGUOUS, PAGED, serve_by_layout
from jobs.paging.picture import draw
from jobs.paging.prefix import NEW_TOKENS, Found, Prompts, measure
from jobs.paging.sampling import sample
from jobs.paging.server import DTYPES, PagedVllm
from jobs.paging.trace import SHIPPED, Request, load_trace
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings

ENVIRONMENT = "vllm"
PERCENTS = (0, 50, 90)
"""Of a prompt, that all prompts have in common."""
UNCACHED = "_uncached"
"""What the names of metrics end in that are of the server without prefix caching."""
NUM_CACHED = 16
"""Tokens that the cache of transformers is filled with, to be counted."""
NUM_OUTPUTS = (2, 4, 6)
"""Outputs of one prompt, as in figure 15 of the paper."""
RUNNING = 4
"""Requests that the server may compute together; it is asked one at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One memory, one trace through it, and one server."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama-256", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A Llama that is measured and served: a hub id with revision, a folder, or a base that the project makes."""
    trace: str = SHIPPED
    """Lengths of requests: `shipped`, or a CSV file with the columns prompt_tokens and output_tokens."""
    num_requests: int = by_scale(tiny=500, small=2000, single=2000, full=2000)
    """The first of the trace."""
    pool_tokens: int = 16384
    """Tokens that the simulated memory holds, a power of two: 8 GiB of LLaMA-2-7B in 16 bits."""
    longest: int = 2048
    """Tokens that a sequence may have; what a contiguous layout has to reserve."""
    block_size: int = 16
    """Tokens in a block of the paged layout, a power of two."""
    prompt_tokens: int = by_scale(tiny=320, small=960, single=1920, full=3840)
    """Of each prompt that the server is asked with."""
    num_prompts: int = by_scale(tiny=21, small=7, single=15, full=15)
    """That the server is asked with for each share of a common prefix, with and without prefix caching."""
    server_block_size: int = by_scale(tiny=32, small=32, single=16, full=16)
    """Tokens in a block of the server; on a CPU vLLM takes multiples of 32."""
    server_cache_mib: int = by_scale(tiny=256, small=512, single=2048, full=8192)
    """Memory of the server for keys and values."""
    server_cache_dtype: str = "auto"
    """Numbers of the server's keys and values: `auto`, as the model computes, or `fp8`, 8 bits."""
    limit_seconds: int = by_scale(tiny=600, small=600, single=900, full=1800)
    """How long the server may take to start."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"num_requests": 1, "longest": 2, "prompt_tokens": 2, "num_prompts": 1, "limit_seconds": 1}
        least |= {"server_block_size": 1, "server_cache_mib": 1, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least)
        wrong += source_problems(self, {"model": MADE})
        if self.trace != SHIPPED and not Path(self.trace).is_file():
            wrong.append(f"TRACE={self.trace}: allowed: {SHIPPED}, or a CSV file")
        if self.server_cache_dtype not in DTYPES:
            wrong.append(f"SERVER_CACHE_DTYPE={self.server_cache_dtype}: allowed: {', '.join(DTYPES)}")
        for name in ("pool_tokens", "block_size"):
            if getattr(self, name) < 1 or getattr(self, name).bit_count() != 1:
                wrong.append(f"{name.upper()}={getattr(self, name)}: must be a power of two")
        if self.pool_tokens < max(self.longest, self.block_size, *BLOCK_SIZES):
            wrong.append(
                f"POOL_TOKENS={self.pool_tokens}: must hold one sequence of LONGEST={self.longest} and one block"
            )
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Measure, simulate and serve, and return the metrics that go into the run record.

    `kv_kib_*` are KiB a token in 16 bits in the cache of transformers, `kv_kib` those of the model as it computes here,
    and `*_agreement` what was measured, divided by the formula. `waste_*` are shares of the memory that requests took,
    `batch_*` the requests that run at once, both while others wait. `shared_*` are blocks that so many outputs of one
    prompt save. `hit_rate_*` and `ttft_ms_*` are by the common prefix in percent, `ttft_ratio_*` the time to the first
    token over that of prompts that have nothing in common, and what ends in `_uncached` is of a server without caching.
    """
    python_of(ENVIRONMENT)
    requests = load_trace(config.trace, config.num_requests, config.longest)
    parts = Finished(folder=run_folder() / "parts")

    def in_worker(name: str, work: Callable[[Config], dict[str, float]]) -> dict[str, float]:
        return parts.once(name, lambda: run_worker(work, config, max_failures=config.max_failures))

    metrics = in_worker("bytes", _bytes)
    layouts = parts.once("layouts", lambda: _layouts(config, requests))
    metrics |= layouts["metrics"] | in_worker("cached", _cached) | in_worker("uncached", _uncached)
    _draw(config, layouts["usages"], metrics)
    return metrics


def _bytes(config: Config) -> dict[str, float]:
    """In a worker: the cache of the model, and of published models without their weights."""
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    model = Base.of(config.model, report_pretraining).load(quantized=False)
    measured = cache_bytes_per_token(model, NUM_CACHED)
    metrics = {
        "kv_kib": measured / 2**10,
        "kv_agreement": measured / bytes_per_token(model.config, model.dtype.itemsize),
    }
    for name in PUBLISHED:
        metrics[f"kv_kib_{name}"] = cache_bytes_per_token(skeleton(name), NUM_CACHED) / 2**10
    return metrics


def _layouts(config: Config, requests: Sequence[Request]) -> dict[str, Any]:
    """The trace through every layout, with the metrics of each and what its memory was used for."""
    metrics: dict[str, float] = {}
    usages: dict[str, dict[str, int]] = {}
    steps = len(CONTIGUOUS) + 1 + len(BLOCK_SIZES)
    for name, served in serve_by_layout(requests, config.pool_tokens, config.longest, config.block_size):
        report("layout", len(usages) + 1, steps, waste=served.usage.waste, batch=served.mean_batch)
        usages[name] = asdict(served.usage)
        metrics[f"waste_{name}"] = served.usage.waste
        metrics[f"batch_{name}"] = served.mean_batch
        if name == PAGED:
            metrics["num_preemptions"], metrics["recomputed"] = served.num_preemptions, served.recomputed
    metrics["batch_gain"] = metrics[f"batch_{PAGED}"] / metrics["batch_max"]
    for num_outputs in NUM_OUTPUTS:
        saved = sample(requests, num_outputs, config.block_size)
        metrics[f"shared_{num_outputs}"] = saved.blocks
        metrics[f"copies_{num_outputs}"] = saved.copies_per_request
    return {"metrics": metrics, "usages": {name: usages[name] for name in (*CONTIGUOUS, PAGED)}}


def _cached(config: Config) -> dict[str, float]:
    """In a worker: the server with prefix caching, and what it says of its blocks."""
    return _serve(config, prefix_caching=True)


def _uncached(config: Config) -> dict[str, float]:
    """In a worker: the server without."""
    metrics = _serve(config, prefix_caching=False)
    return {f"{name}{UNCACHED}": value for name, value in metrics.items() if not name.startswith("server_")}


def _serve(config: Config, *, prefix_caching: bool) -> dict[str, float]:
    """Start vLLM, and ask it with prompts that have more and more of their beginning in common."""
    from transformers import AutoConfig

    from jobs.llm.bases import Base, compute_dtype
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    folder, dtype = Base.of(config.model, report_pretraining).folder(), compute_dtype()
    shape = AutoConfig.from_pretrained(folder)
    engine = PagedVllm(
        cache_bytes=config.server_cache_mib * 2**20,
        block_size=config.server_block_size,
        cache_dtype=config.server_cache_dtype,
    )
    settings = _settings(config, folder, str(dtype).removeprefix("torch."), prefix_caching=prefix_caching)
    log = run_folder() / f"vllm-{'cached' if prefix_caching else 'uncached'}.log"
    with serving(engine, settings, log=log, limit_seconds=config.limit_seconds) as endpoint:
        blocks = Counters.read(endpoint)
        metrics = _prefix_metrics(measure(endpoint, _prompts(config, shape.vocab_size), PERCENTS))
    itemsize = 1 if engine.cache_dtype == "fp8" else dtype.itemsize
    measured = blocks.num_bytes / blocks.num_tokens
    metrics["server_kv_kib"] = measured / 2**10
    metrics["server_kv_agreement"] = measured / bytes_per_token(shape, itemsize)
    return metrics


def _settings(config: Config, folder: Path, dtype: str, *, prefix_caching: bool) -> ServerSettings:

    return ServerSettings(
        model=str(folder),
        served_name="model",
        dtype=dtype,
        max_model_len=config.prompt_tokens + NEW_TOKENS,
        max_slots=RUNNING,
        prefix_caching=prefix_caching,
        compiled=False,
        seed=config.seed,
    )


def _prompts(config: Config, vocab_size: int) -> Prompts:

    return Prompts(
        num_tokens=config.prompt_tokens, num_prompts=config.num_prompts, vocab_size=vocab_size, seed=config.seed
    )


def _prefix_metrics(measured: Sequence[Found]) -> dict[str, float]:
    metrics = {}
    for step, found in enumerate(measured, start=1):
        report("prefix", step, len(PERCENTS), hit_rate=found.hit_rate, ttft_seconds=found.ttft_seconds)
        metrics[f"hit_rate_{found.percent}"] = found.hit_rate
        metrics[f"ttft_ms_{found.percent}"] = 1000 * found.ttft_seconds
        metrics[f"ttft_ratio_{found.percent}"] = found.ttft_seconds / measured[0].ttft_seconds
    return metrics


def _draw(config: Config, usages: dict[str, dict[str, int]], metrics: dict[str, float]) -> None:
    draw(
        usages,
        {size: metrics[f"waste_{PAGED}_{size}"] for size in BLOCK_SIZES},
        {percent: metrics[f"hit_rate_{percent}"] for percent in PERCENTS},
        {
            label: {percent: metrics[f"ttft_ms_{percent}{ending}"] for percent in PERCENTS}
            for label, ending in (("prefix caching", ""), ("without", UNCACHED))
        },
        f"{config.num_requests} requests, {config.pool_tokens} tokens of memory; {config.model.partition('@')[0]}",
        run_folder() / "kv-cache.png",
    )
