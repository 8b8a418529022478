"""What the servers did under each load, for programs (metrics) and for readers (a table of Markdown)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobs.launch.markdown import table
from jobs.versus.offline import MIXED, UNIFORM, VLLM
from jobs.versus.offline_transformers import MODES
from jobs.versus.price import Price

LABELS = {
    VLLM: "vLLM, continuous batching, 4 bits",
    "static": "transformers, static batches",
    "one_by_one": "transformers, one by one",
}
"""Of engines, with the way that each batches."""
ONLINE = {
    "tokens_per_second": "useful tokens/s",
    "ttft_p50_ms": "TTFT p50, ms",
    "ttft_p99_ms": "p99",
    "tpot_p50_ms": "TPOT p50, ms",
    "tpot_p99_ms": "p99",
    "usd_per_million_tokens": "USD a million tokens",
}
DIGITS = {"tokens_per_second": ",.0f", "usd_per_million_tokens": ",.4f"}
"""Of the others one behind the point."""


def online_metrics(servers: Mapping[str, Mapping[str, Any]], price: Price) -> dict[str, float]:
    """Each value of `ONLINE` by server and load, vLLM's gains at each load, and the memory of each server."""
    metrics = {f"memory_mib_{name}": server["memory_mib"] for name, server in servers.items()}
    for name, server in servers.items():
        for load in server["loads"]:
            metrics |= {f"{key}_{name}_at_{load['load']:g}": value for key, value in _values(load, price).items()}
    for name in MODES:
        for ours, theirs in zip(servers[VLLM]["loads"], servers[name]["loads"], strict=True):
            gain = ours["tokens_per_second"] / theirs["tokens_per_second"]
            metrics[f"gain_online_{name}_at_{ours['load']:g}"] = gain
    return metrics


def markdown(servers: Mapping[str, Mapping[str, Any]], offline: Mapping[str, Any], price: Price) -> str:
    """Two tables: behind a port with a line for each server and load, and offline with a line for each engine."""
    heads = ["engine", "clients", *ONLINE.values(), "memory, MiB"]
    online = table(heads, _online_rows(servers, price))
    rates, engines = offline["metrics"], (VLLM, *MODES)
    rows = (
        [LABELS[name], *(f"{rates[f'offline_{each}_{name}']:,.0f}" for each in (MIXED, UNIFORM))] for name in engines
    )
    written = table(["engine", "mixed lengths, useful tokens/s", "uniform lengths"], rows)
    priced = f"Dollars: {price.usd_per_hour} an hour, {price.source}."
    return f"Behind a port. {priced}\n\n{online}\nOffline.\n\n{written}"


def _online_rows(servers: Mapping[str, Mapping[str, Any]], price: Price) -> Iterator[list[str]]:
    for name, server in servers.items():
        for load in server["loads"]:
            values = _values(load, price)
            cells = [format(values[key], DIGITS.get(key, ",.1f")) if key in values else "" for key in ONLINE]
            yield [LABELS[name], f"{load['load']:g}", *cells, f"{server['memory_mib']:,.0f}"]


def _values(load: Mapping[str, Any], price: Price) -> dict[str, float]:
    """Of a `Summary` as a dict; without the times where none was measured."""
    values = {"tokens_per_second": load["tokens_per_second"]}
    for name in ("ttft", "tpot"):
        if load[name] is not None:
            values |= {f"{name}_{cut}_ms": 1000 * load[name][cut] for cut in ("p50", "p99")}
    return values | {"usd_per_million_tokens": price.usd_per_million(load["tokens_per_second"])}
