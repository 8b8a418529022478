"""What slots are used for, what a block's size wastes, and what a cached prefix saves, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

USES = {
    "tokens": ("tokens", "#2f6f9f"),
    "reserved": ("reserved", "#d9a13b"),
    "internal": ("internal fragmentation", "#b5452c"),
    "external": ("external fragmentation", "#7a3b8f"),
    "free": ("free", "#d0d0d0"),
}
"""Fields of `Usage`, with label and color."""


def draw(
    usages: Mapping[str, Mapping[str, int]],
    waste: Mapping[int, float],
    hit_rates: Mapping[int, float],
    ttft_ms: Mapping[str, Mapping[int, float]],
    title: str,
    path: Path,
) -> None:
    """Three panels, as a PNG.

    `usages` has the fields of `Usage` by layout, `waste` a share by block size, `hit_rates` a share by the prefix in
    common in percent, and `ttft_ms` milliseconds by the same, of the server with prefix caching and of the one without.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    figure.suptitle(title)
    layouts, sizes, prefixes = figure.subplots(1, 3)
    _draw_usages(layouts, usages)
    _draw_waste(sizes, waste)
    _draw_prefixes(prefixes, hit_rates, ttft_ms)
    for axes in (layouts, sizes, prefixes):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_usages(axes: Any, usages: Mapping[str, Mapping[str, int]]) -> None:
    bottoms = dict.fromkeys(usages, 0.0)
    for use, (label, color) in USES.items():
        heights = {name: 100 * usage[use] / sum(usage.values()) for name, usage in usages.items()}
        axes.bar(list(usages), list(heights.values()), bottom=list(bottoms.values()), color=color, label=label)
        bottoms = {name: bottoms[name] + heights[name] for name in usages}
    axes.set(title="while requests wait", ylabel="% of the memory", ylim=(0, 100))
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, frameon=False)


def _draw_waste(axes: Any, waste: Mapping[int, float]) -> None:
    sizes = sorted(waste)
    axes.plot(sizes, [100 * waste[size] for size in sizes], "o-", color=USES["internal"][1])
    axes.axhline(4, color="black", linewidth=1, linestyle="--")
    axes.annotate("4 %", (sizes[0], 4), va="bottom", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set(title="paged", xlabel="tokens a block", ylabel="waste (% of what is taken)")


def _draw_prefixes(axes: Any, hit_rates: Mapping[int, float], ttft_ms: Mapping[str, Mapping[int, float]]) -> None:
    colors = (USES["tokens"][1], USES["internal"][1])
    for (label, points), color, style in zip(ttft_ms.items(), colors, ("o-", "s--"), strict=True):
        axes.plot(list(points), list(points.values()), style, color=color, label=label)
    cached = next(iter(ttft_ms.values()))
    for percent, rate in hit_rates.items():
        place = percent, cached[percent]
        axes.annotate(f"{100 * rate:.0f} % hits", place, xytext=(0, -13), textcoords="offset points", ha="center")
    axes.set(title="vLLM", xlabel="prefix that prompts share (%)", ylabel="time to first token (ms)")
    axes.set_xticks(list(hit_rates))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.12)
    axes.legend(frameon=False, fontsize=8)
