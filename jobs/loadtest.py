"""Load test: put growing load on a server of OpenAI's protocol, and measure latency, throughput and goodput.

URL=http://127.0.0.1:8000 MODEL=tiny SCALE=tiny python -m jobs.submit loadtest
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from clusterlab.config import Scale, by_scale, range_problems
from clusterlab.errors import InputError, Problem, UnreachableError
from jobs.launch.folder import report, run_folder
from jobs.load.loads import Mode, parse_loads
from jobs.load.loops import closed, open_loop
from jobs.load.outcome import Ending, Outcome
from jobs.load.prompts import MAX_WORDS, made_prompts
from jobs.load.summary import Slo, Summary
from jobs.load.target import split_url
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint

MAX_LOADS = 1000
"""Between the seeds of two runs, so that no load of one has the arrivals of a load of the other."""


UNITS = {Mode.OPEN: "requests/s asked for", Mode.CLOSED: "clients"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One server under one load after the other."""

    scale: Scale
    """How big; sets every value below that is not given."""
    url: str
    """Of the server, without a path, such as `http://127.0.0.1:8000`."""
    model: str
    """The name that the server knows the model by."""
    mode: Mode = Mode.OPEN
    """`open`: requests come as a Poisson process; `closed`: clients that each wait for their answer."""
    loads: str = by_scale(tiny="1,4,16", small="1,4,16", single="1,4,16,64", full="1,4,16,64,256")
    """Requests a second in the open loop, clients in the closed one; growing, with commas between."""
    num_requests: int = by_scale(tiny=32, small=32, single=200, full=1000)
    """At each load."""
    num_words: int = by_scale(tiny=16, small=64, single=256, full=256)
    """Of a prompt."""
    new_tokens: int = by_scale(tiny=16, small=32, single=128, full=128)
    """Of an answer."""
    slo_ttft_seconds: float = by_scale(tiny=1.0, small=2.0, single=0.5, full=0.5)
    """A request is of use if its first token came in this time,"""
    slo_tpot_seconds: float = by_scale(tiny=0.1, small=0.5, single=0.05, full=0.05)
    """and each further one in this."""
    limit_seconds: float = by_scale(tiny=60.0, small=120.0, single=300.0, full=300.0)
    """After which an answer is given up."""
    seed: int = 0
    """Of the prompts and the arrivals."""

    def __post_init__(self) -> None:
        positive = ("num_requests", "num_words", "new_tokens", "slo_ttft_seconds", "slo_tpot_seconds", "limit_seconds")
        wrong = range_problems(self, most={"num_words": MAX_WORDS}, above_zero=positive)
        try:
            split_url(self.url)
        except ValueError as error:
            wrong.append(f"URL={self.url}: {error}")
        try:
            parse_loads(self.loads, self.mode)
        except ValueError as error:
            wrong.append(f"LOADS={self.loads}: {error}")
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Put one load after the other on the server, and return the metrics that go into the run record.

    `load.json` gets the summary of each load and every request, `load.png` the picture. A metric of a load ends in
    `_at_` and the load. Latencies are in seconds, from when a request was scheduled.

    Raises:
        InputError: the server rejects the first request.
        UnreachableError: it does not answer it, although no load is on it yet.
    """
    import uvloop

    from jobs.load.picture import draw_loads

    endpoint = Endpoint(url=config.url, model=config.model, api_key=os.environ.get(KEY_VARIABLE))
    slo = Slo(ttft_seconds=config.slo_ttft_seconds, tpot_seconds=config.slo_tpot_seconds)
    uvloop.run(_probe(endpoint, config))
    loads = parse_loads(config.loads, config.mode)
    summaries, records = [], []
    for step, load in enumerate(loads, 1):
        outcomes = uvloop.run(_put(endpoint, config, load, step))
        summary = Summary.of(load, outcomes, slo)
        report("load", step, len(loads), **summary.metrics())
        summaries.append(summary)
        records.append(dataclasses.asdict(summary) | {"requests": [dataclasses.asdict(each) for each in outcomes]})
    asked = {"model": config.model, "mode": config.mode, "slo": dataclasses.asdict(slo)}
    (run_folder() / "load.json").write_text(json.dumps(asked | {"loads": records}, indent=1))
    draw_loads(summaries, f"{config.model}, {config.mode} loop", UNITS[config.mode], run_folder() / "load.png")
    return _metrics(summaries)


async def _probe(endpoint: Endpoint, config: Config) -> None:
    """Ask once, so that a server that is not there is one clear error and no percentiles of nothing."""
    prompt = made_prompts(1, num_words=1, new_tokens=[1], seed=config.seed)
    (outcome,) = await closed(endpoint, prompt, concurrency=1, limit_seconds=config.limit_seconds)
    if outcome.ending is Ending.REJECTED:
        message = f"the server rejects a request, HTTP status {outcome.status}; allowed: a model that it serves"
        raise InputError(Problem(path=f"MODEL={config.model}", message=f"{message}, and its key in {KEY_VARIABLE}"))
    if outcome.ending is not Ending.DONE:
        raise UnreachableError(f"{config.url}: the first request was {outcome.ending}")


async def _put(endpoint: Endpoint, config: Config, load: float, step: int) -> list[Outcome]:
    """One load; its prompts and arrivals are others than those of the load before."""
    seed, limit = config.seed * MAX_LOADS + step, config.limit_seconds
    prompts = made_prompts(config.num_requests, num_words=config.num_words, new_tokens=[config.new_tokens], seed=seed)
    if config.mode is Mode.CLOSED:
        return await closed(endpoint, prompts, concurrency=int(load), limit_seconds=limit)
    return await open_loop(endpoint, prompts, rate=load, seed=seed, limit_seconds=limit)


def _metrics(summaries: Sequence[Summary]) -> dict[str, float]:
    metrics = {
        f"{name}_at_{summary.load:g}": value for summary in summaries for name, value in summary.metrics().items()
    }
    best = max(summaries, key=lambda summary: summary.goodput_per_second)
    answered = sum(summary.num_done for summary in summaries) / sum(summary.num_requests for summary in summaries)
    return metrics | {
        "answered": answered,
        "goodput_per_second": best.goodput_per_second,
        "goodput_load": best.load,
    }
