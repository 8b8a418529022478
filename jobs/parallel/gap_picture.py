"""A loss curve, the points that should lie on it, and how far off they are, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SMALLEST = 1e-8
"""Where a difference of nothing is drawn: below what float32 tells apart in a loss."""


def draw_gap(losses: Mapping[str, Mapping[int, float]], title: str, path: Path) -> None:
    """Draw two phases' losses in nats a token against the step, their difference below, and write a PNG.

    The first phase is the line, the second the points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    (line, first), (points, second) = losses.items()
    above.plot(list(first), list(first.values()), label=line, linewidth=2)
    above.plot(list(second), list(second.values()), "o", label=points, markersize=5, fillstyle="none")
    above.set(title=title, ylabel="training loss (nats a token)")
    above.legend(frameon=False)
    gaps = {step: max(abs(first[step] - second[step]), SMALLEST) for step in first if step in second}
    below.semilogy(list(gaps), list(gaps.values()), "o", markersize=4, color="0.3")
    below.set(xlabel="step", ylabel="difference (nats)", ylim=(SMALLEST / 2, 1))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        _plain(axes)
    FigureCanvasAgg(figure).print_png(path)


def _plain(axes: Any) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
