"""How often each way to think is right against the tokens that it writes, and what a right answer takes: a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.thinking.chains import CHAIN_24, DIRECT, THOUGHT, VOTE
from jobs.thinking.findings import LABELS, Method
from jobs.thinking.paired import accuracy_interval
from jobs.thinking.tree import BREADTH_FIRST, DEPTH_FIRST

COLORS = {DIRECT: "#777777", THOUGHT: "#d9a13b", VOTE: "#2f6f9f"}
COLORS |= {CHAIN_24: "#d9a13b", BREADTH_FIRST: "#b5452c", DEPTH_FIRST: "#5b8c5a"}
PANELS = {"word problems": (DIRECT, THOUGHT, VOTE), "Game of 24": (CHAIN_24, BREADTH_FIRST, DEPTH_FIRST)}


def draw(methods: Mapping[str, Method], title: str, path: Path) -> None:
    """Three panels, as a PNG: accuracy against tokens for both kinds of problem, and tokens a right answer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.8), layout="constrained")
    figure.suptitle(title)
    *accuracies, costs = figure.subplots(1, 3)
    for axes, (panel, names) in zip(accuracies, PANELS.items(), strict=True):
        for name in names:
            if name in methods:
                _draw_method(axes, methods[name])
        if not any(name in methods for name in names):
            continue
        axes.set_xscale("log")
        axes.set(title=panel, xlabel="tokens written for a problem", ylabel="right, with 95 %", ylim=(0, 1.05))
        axes.margins(x=0.15)
        axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)
    _draw_costs(costs, methods)
    for axes in (*accuracies, costs):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_method(axes: Any, method: Method) -> None:
    label, color, num = LABELS[method.name].partition(": ")[2], COLORS[method.name], len(method.attempts)
    points = [(tokens, accuracy, str(count)) for count, tokens, accuracy in method.votes()]
    points = points or [(method.new_tokens, method.accuracy, "")]
    for tokens, accuracy, count in points:
        low, high = accuracy_interval(round(accuracy * num), num)
        axes.vlines(tokens, low, high, color=color, alpha=0.4)
        axes.annotate(count, (tokens, accuracy), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.plot([point[0] for point in points], [point[1] for point in points], "o-", color=color, label=label)


def _draw_costs(axes: Any, methods: Mapping[str, Method]) -> None:
    shown = [(name, tokens) for name, method in methods.items() if (tokens := method.tokens_per_right) is not None]
    bars = axes.barh([LABELS[name] for name, _ in shown], [tokens for _, tokens in shown], log=True)
    for bar, (name, _) in zip(bars, shown, strict=True):
        bar.set_color(COLORS[name])
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=9, padding=3)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set(title="the cost of thinking", xlabel="tokens written for a right answer")
