"""Memory against time of a step, for each choice of what is computed again, beside what others published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlab.fit.memory import Recompute

PUBLISHED_MEMORY, PUBLISHED_TIME = 24.9 / 42.9, 9174 / 7210
"""Of layers computed again, against none: Llama-3.2-3B on an A100, GiB and the inverse of tokens a second; the README
of pytorch/torchtune, "Optimization flags"."""
COLORS = {"weights and optimizer": "#9aa5b1", "activations, gradients, temporaries": "#2f6f9f"}

PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}


def draw_trade(metrics: Mapping[str, float], title: str, path: Path) -> None:
    """Draw memory and time as bars, none first, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    memory, time = figure.subplots(1, 2)
    names = [str(each) for each in Recompute]
    states = [metrics["states_mib"]] * len(names)
    peaks = [metrics[f"{name}_peak_mib"] for name in names]
    for (label, color), values, bottom in zip(COLORS.items(), (states, peaks), ([0.0] * 3, states), strict=True):
        memory.bar(names, values, bottom=bottom, label=label, color=color, width=0.6)
    totals = [state + peak for state, peak in zip(states, peaks, strict=True)]
    _label(memory, totals, "{:.0f} MiB")
    _mark(memory, PUBLISHED_MEMORY * totals[0])
    memory.set(title="memory of one worker", ylabel="MiB at the worst", ylim=(0, max(totals) * 1.45))
    memory.legend(frameon=False, loc="upper right", fontsize=8)
    seconds = [metrics[f"{name}_seconds_per_step"] for name in names]
    time.bar(names, seconds, color=COLORS["activations, gradients, temporaries"], width=0.6)
    _label(time, seconds, "{:.3f} s")
    _mark(time, PUBLISHED_TIME * seconds[0])
    time.set(title="time of one step", ylabel="seconds, the median", ylim=(0, max(seconds) * 1.45))
    figure.suptitle(title)
    FigureCanvasAgg(figure).print_png(path)


def _label(axes: Any, values: list[float], text: str) -> None:
    """Write each bar's value above it, and what it is of the first."""
    for place, value in enumerate(values):
        share = "" if place == 0 else f"\n{value / values[0] - 1:+.0%}"
        axes.text(place, value, text.format(value) + share, ha="center", va="bottom", fontsize=9, bbox=PLATE, zorder=3)
    axes.set_xlabel("computed again in the backward pass")
    axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Any, height: float) -> None:
    """What the published ratio would make of `full`."""
    place = len(Recompute) - 1
    axes.plot([place - 0.38, place + 0.38], [height, height], color="#b5452c", linewidth=1.5, linestyle="--")
    axes.text(place + 0.4, height, "published\nratio", color="#b5452c", fontsize=7, va="center")
