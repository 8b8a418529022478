"""What each method finds of each kind of query, and how ingestion grows with its workers, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.retrieval.collection import ALL
from jobs.retrieval.table import LABELS

COLORS = ("#2f6f9f", "#d9a13b", "#a0a0a0", "#3c8c5a", "#7a3b8f", "#b5452c")


def draw(methods: Mapping[str, Mapping[str, Any]], rates: Mapping[int, float], title: str, path: Path) -> None:
    """Two panels, as a PNG: nDCG@10 by kind of query and method, and documents a second by workers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained")
    figure.suptitle(title)
    quality, speed = figure.subplots(1, 2, width_ratios=(3, 1))
    _draw_quality(quality, methods)
    _draw_rates(speed, rates)
    for axes in (quality, speed):
        axes.grid(alpha=0.3, axis="y")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_quality(axes: Any, methods: Mapping[str, Mapping[str, Any]]) -> None:
    kinds = list(next(iter(methods.values()))["kinds"])
    width = 0.85 / len(methods)
    for place, (name, method) in enumerate(methods.items()):
        left = [number + (place - (len(methods) - 1) / 2) * width for number in range(len(kinds))]
        heights = [method["kinds"][kind]["ndcg_10"] for kind in kinds]
        bars = axes.bar(left, heights, width * 0.92, color=COLORS[place], label=LABELS[name])
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.set_xticks(range(len(kinds)), ["all queries" if kind == ALL else kind for kind in kinds])
    axes.set(ylabel="nDCG@10", ylim=(0, 1.08), title="what is found")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)


def _draw_rates(axes: Any, rates: Mapping[int, float]) -> None:
    workers, first = list(rates), next(iter(rates))
    axes.plot(workers, [rates[number] for number in workers], "o-", color=COLORS[0], label="measured")
    ideal = [rates[first] * number / first for number in workers]
    axes.plot(workers, ideal, "--", color="black", linewidth=1, label="in proportion")
    axes.set_xticks(workers)
    axes.set(xlabel="workers", ylabel="documents a second", title="ingestion")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.15)
    axes.legend(fontsize=8, frameon=False)
