"""Bandwidth against message size as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def draw_bandwidth(curves: Mapping[str, Mapping[int, float]], title: str, path: Path) -> None:
    """Draw GB/s against bytes for each curve, on logarithmic axes, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, by_size in curves.items():
        axes.loglog(list(by_size), list(by_size.values()), label=label, marker="o", markersize=3, linewidth=1.5)
    axes.set(title=title, xlabel="message (bytes)", ylabel="bandwidth (GB/s)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)
