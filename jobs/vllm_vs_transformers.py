"""vLLM against transformers: a quantized model, with and without continuous batching, offline and behind a port.

python -m jobs.submit vllm_vs_transformers
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.launch.numbers import number_problems, parse_numbers
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA, WIKITEXT
from jobs.load.prompts import MAX_WORDS
from jobs.versus.model import ENVIRONMENTS, Calibration, Pair, quantized
from jobs.versus.offline import Offline, compare_offline
from jobs.versus.online import Clients
from jobs.versus.picture import draw
from jobs.versus.price import Price, machine_problems
from jobs.versus.servers import SERVERS, Servers
from jobs.versus.table import markdown, online_metrics

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model, quantized for vLLM and unpacked for transformers, and what both are asked."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama-256", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A Llama that is quantized: a hub id with revision, a folder, or a base that the project makes."""
    text: Source = by_scale(tiny="made", small="shipped", single=WIKITEXT, full=WIKITEXT)
    """What calibrates: a hub id with revision, a folder with `*.txt` or `*.parquet`, `made`, `shipped`."""
    group_size: int = by_scale(tiny=64, small=64, single=128, full=128)
    """Weights that share a scale."""
    row_length: int = by_scale(tiny=32, small=128, single=2048, full=2048)
    """Tokens in a row of the text."""
    num_rows: int = by_scale(tiny=128, small=20, single=128, full=128)
    """Rows of the text that calibrate."""
    num_words: int = by_scale(tiny=8, small=32, single=128, full=128)
    """Of a prompt."""
    lengths: str = "4,8,16,256"
    """Tokens of an answer, with commas between; one is drawn for each prompt."""
    uniform: int = 64
    """Tokens of every answer where all are equally long, offline."""
    num_prompts: int = by_scale(tiny=128, small=32, single=128, full=128)
    """That are answered offline."""
    slots: int = by_scale(tiny=32, small=8, single=32, full=32)
    """Answers that are computed together: in a static batch, and at most by vLLM."""
    rounds: int = by_scale(tiny=3, small=1, single=3, full=3)
    """Times that each is measured offline; the median counts. One by one is measured once."""
    clients: str = "1,8,32"
    """At one time, growing, with commas between: what is put on each server."""
    requests_per_client: int = by_scale(tiny=4, small=2, single=4, full=4)
    """At each of these loads."""
    threads: int = by_scale(tiny=1, small=2, single=4, full=4)
    """CPU threads of transformers offline, and of vLLM's on a CPU."""
    compiled: bool = by_scale(tiny=False, small=False, single=True, full=True)
    """Whether vLLM compiles the model, which takes minutes."""
    machine: str = by_scale(tiny="m5.large", small="m5.large", single="g6.xlarge", full="g6e.xlarge")
    """Whose hour is the price of tokens where this machine's own costs nothing or is not known; of the catalog."""
    limit_seconds: float = by_scale(tiny=600.0, small=3600.0, single=1800.0, full=3600.0)
    """How long each may take: quantizing, a server's start, an answer, and an engine offline."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"group_size": 1, "row_length": 2, "num_rows": 1, "num_words": 1, "uniform": 1, "num_prompts": 1}
        least |= {"slots": 1, "rounds": 1, "requests_per_client": 1, "threads": 1, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least, most={"num_words": MAX_WORDS}, above_zero=["limit_seconds"])
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        wrong += number_problems(self, ("lengths", "clients"))
        wrong += machine_problems(self.machine)
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Quantize, compare offline and behind a port, and return the metrics that go into the run record.

    `offline_*` are useful tokens a second without a server, by lengths and engine, and `gain_*` vLLM's over those of
    transformers. `steps_*` are forward passes by arithmetic, and `useful_*` the share of slots whose token somebody
    asked for. `agreement` is the share of vLLM's tokens that transformers chooses too. What ends in `_at_` and a number
    is of a server with so many clients: useful tokens a second, times in milliseconds (p50, p99), dollars a million
    tokens. `memory_mib_*` is the most that a server took.

    Raises:
        MissingError: an environment is not on this machine.
    """
    for environment in ENVIRONMENTS:
        python_of(environment)
    price, folder = Price.of(os.environ, config.machine), run_folder()
    parts = Finished(folder=folder / "parts")

    def in_worker(name: str, work: Callable[[C], dict[str, Any]], asked: C) -> dict[str, Any]:
        return parts.once(name, lambda: run_worker(work, asked, max_failures=config.max_failures))

    pair = quantized(_calibration(config))
    offline = in_worker("offline", compare_offline, _offline(config, pair))
    asked = _servers(config, pair)
    servers = {name: in_worker(name, work, asked) for name, work in SERVERS.items()}
    (folder / "table.md").write_text(markdown(servers, offline, price))
    title = f"{config.model.partition('@')[0]}: vLLM with 4 bits, transformers with the same weights unpacked"
    draw(offline, servers, title, folder / "vllm-vs-transformers.png")
    return {**pair.metrics, **offline["metrics"], **online_metrics(servers, price)}


def _calibration(config: Config) -> Calibration:
    return Calibration(
        model=config.model,
        text=config.text,
        group_size=config.group_size,
        row_length=config.row_length,
        num_rows=config.num_rows,
        threads=config.threads,
        seconds=config.limit_seconds,
        seed=config.seed,
    )


def _offline(config: Config, pair: Pair) -> Offline:
    return Offline(
        pair=pair,
        num_prompts=config.num_prompts,
        num_words=config.num_words,
        lengths=parse_numbers(config.lengths),
        uniform=config.uniform,
        num_slots=config.slots,
        num_rounds=config.rounds,
        threads=config.threads,
        compiled=config.compiled,
        limit_seconds=config.limit_seconds,
        seed=config.seed,
    )


def _servers(config: Config, pair: Pair) -> Servers:
    clients = Clients(
        loads=parse_numbers(config.clients),
        requests_per_client=config.requests_per_client,
        num_words=config.num_words,
        lengths=parse_numbers(config.lengths),
        limit_seconds=config.limit_seconds,
        seed=config.seed,
    )
    return Servers(
        pair=pair,
        clients=clients,
        num_slots=config.slots,
        threads=config.threads,
        compiled=config.compiled,
        limit_seconds=config.limit_seconds,
        seed=config.seed,
    )
