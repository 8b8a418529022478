"""Which slots of a batch are of use, what that brings offline, and what clients see of it, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.versus.batching import continuous_schedule, static_schedule
from jobs.versus.offline import MIXED, UNIFORM, VLLM
from jobs.versus.offline_transformers import MODES
from jobs.versus.table import LABELS

COLORS = {VLLM: "#2f6f9f", "static": "#b5452c", "one_by_one": "#d9a13b"}


def draw(offline: Mapping[str, Any], servers: Mapping[str, Mapping[str, Any]], title: str, path: Path) -> None:
    """Four panels, as a PNG; `offline` and `servers` are what the job's parts returned."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout="constrained")
    figure.suptitle(title)
    (slots, rates), (throughput, first) = figure.subplots(2, 2)
    _draw_slots(slots, offline)
    _draw_rates(rates, offline["metrics"])
    _draw_loads(throughput, servers, lambda load: load["tokens_per_second"], "useful tokens/s")
    _draw_loads(first, servers, lambda load: 1000 * load["ttft"]["p50"], "time to first token (ms), p50")
    for axes in (slots, rates, throughput, first):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = throughput.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_slots(axes: Any, offline: Mapping[str, Any]) -> None:
    lengths, num_slots = offline["lengths"], offline["num_slots"]
    for name, label, schedule in (
        ("static", "static", static_schedule(lengths, num_slots)),
        (VLLM, "continuous", continuous_schedule(lengths, num_slots)),
    ):
        text = f"{label}: {schedule.num_steps} steps, {100 * schedule.useful:.0f} % of use"
        axes.fill_between(range(schedule.num_steps), schedule.busy, step="post", alpha=0.35, color=COLORS[name])
        axes.step(range(schedule.num_steps), schedule.busy, where="post", color=COLORS[name], label=text)
    axes.set(title="slots whose token was asked for", xlabel="step", ylabel=f"slots of {num_slots}")
    axes.set_ylim(0, 1.3 * num_slots)
    axes.legend(frameon=False, fontsize=9, loc="upper right")


def _draw_rates(axes: Any, metrics: Mapping[str, float]) -> None:
    for number, engine in enumerate((VLLM, *MODES)):
        heights = [metrics[f"offline_{name}_{engine}"] for name in (MIXED, UNIFORM)]
        bars = axes.bar([place + 0.27 * (number - 1) for place in range(2)], heights, 0.27, color=COLORS[engine])
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_xticks(range(2), ["mixed lengths", "uniform lengths"])
    axes.set(title="offline", ylabel="useful tokens/s")


def _draw_loads(axes: Any, servers: Mapping[str, Mapping[str, Any]], value: Any, label: str) -> None:
    for name, server in servers.items():
        clients = [load["load"] for load in server["loads"]]
        axes.plot(clients, [value(load) for load in server["loads"]], "o-", color=COLORS[name], label=LABELS[name])
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [f"{number:g}" for number in clients])
    axes.set_yscale("log")
    axes.set(title="behind a port", xlabel="clients", ylabel=label)
