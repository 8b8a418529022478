"""Perplexity against bits as a picture, with the Pareto front: the methods that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.compress.row import Row

MARKERS = "osD^vPX*<>hp"


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that have less of the second for every more of the first, from the least of the first."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda index: points[index]):
        if not front or points[index][1] < points[front[-1]][1]:
            front.append(index)
    return front


def draw_frontier(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw perplexity and divergence of the quantized `rows` against bits, and write a PNG.

    The unquantized model, first of the rows, is a line: its bits would squeeze the others together.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    unquantized, quantized = rows[0], rows[1:]
    _scatter(left, quantized, "perplexity")
    level = unquantized.metrics["perplexity"]
    left.axhline(level, color="#7a8691", linewidth=1, linestyle=":", zorder=1, label="unquantized")
    left.ticklabel_format(axis="y", useOffset=False)
    left.set(ylabel="perplexity")
    _scatter(right, quantized, "kl_divergence")
    right.set(ylabel="KL to the unquantized model (nats a token)", yscale="log")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.suptitle(title)
    FigureCanvasAgg(figure).print_png(path)


def _scatter(axes: Any, rows: Sequence[Row], metric: str) -> None:
    points = [(row.metrics["bits_per_parameter"], row.metrics[metric]) for row in rows]
    families = list(dict.fromkeys(row.family for row in rows))
    for number, family in enumerate(families):
        own = [point for point, row in zip(points, rows, strict=True) if row.family == family]
        axes.plot(*zip(*own, strict=True), MARKERS[number % len(MARKERS)], color=f"C{number}", label=family, zorder=3)
    front = [points[index] for index in pareto_front(points)]
    if front:
        axes.plot(*zip(*front, strict=True), color="#444444", linewidth=1.2, label="Pareto front", zorder=2)
    axes.set_xlabel("bits a weight of the linear layers, constants included")
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
