"""Which rank holds what, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clusterlab.fit.shapes import Shape
from jobs.parallel.layout import Layout

MAX_COPIES = 8
"""Of the model, that are drawn; the others look the same."""


def draw_layout(layout: Layout, shape: Shape, world_size: int, title: str, path: Path) -> None:
    """Draw a row for each data parallel copy and a box for each of its ranks, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    copies, columns = layout.data_parallel(world_size), layout.model_parallel
    drawn = min(copies, MAX_COPIES)
    figure = Figure(figsize=(max(6.0, 2.2 * columns + 0.8), 1.15 * drawn + 0.9), layout="constrained")
    axes = figure.add_subplot()
    for rank in range(world_size):
        _box(axes, layout, shape, rank, world_size)
    axes.set(
        title=title,
        xlim=(-0.42 if copies > 1 else 0, columns),
        ylim=(drawn, -0.22 if layout.pipeline_parallel > 1 else 0),
        xticks=[],
        yticks=[],
    )
    axes.spines[:].set_visible(False)
    if drawn < copies:
        axes.set_xlabel(f"and {copies - drawn} more copies of the same kind")
    FigureCanvasAgg(figure).print_png(path)


def _box(axes: Any, layout: Layout, shape: Shape, rank: int, world_size: int) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    place = layout.place(rank, world_size)
    if place.data >= MAX_COPIES:
        return
    column = (place.pipeline * layout.context_parallel + place.context) * layout.tensor_parallel + place.tensor
    shade = 0.35 + 0.3 * place.tensor / layout.tensor_parallel
    color = (*colormaps["tab10"](place.pipeline % 10)[:3], shade)
    axes.add_patch(Rectangle((column + 0.04, place.data + 0.06), 0.92, 0.88, facecolor=color, edgecolor="0.35"))
    text = "\n".join([f"rank {rank}", *_holds(layout, shape, rank, world_size)])
    axes.text(column + 0.5, place.data + 0.5, text, ha="center", va="center", fontsize=8)
    if column == 0 and layout.data_parallel(world_size) > 1:
        axes.text(-0.05, place.data + 0.5, f"copy {place.data}", ha="right", va="center", fontsize=9)
    if layout.pipeline_parallel > 1 and place.data == place.tensor == place.context == 0:
        axes.text(column + 0.06, -0.08, f"stage {place.pipeline}", ha="left", va="center", fontsize=9)


def _holds(layout: Layout, shape: Shape, rank: int, world_size: int) -> list[str]:
    """A rank's part of the model, and of each row, in words."""
    place = layout.place(rank, world_size)
    layers = layout.layers(shape, place.pipeline)
    first, last = place.pipeline == 0, place.pipeline == layout.pipeline_parallel - 1
    ends = ["embedding"] * first + ["head"] * last
    lines = [f"layers {layers[0]} to {layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}", " and ".join(ends)]
    if layout.tensor_parallel > 1:
        lines.append(f"part {place.tensor + 1} of {layout.tensor_parallel} of each matrix")
    if layout.context_parallel > 1:
        lines.append(f"part {place.context + 1} of {layout.context_parallel} of each row")
    lines.append(f"{_in_words(layout.num_parameters(shape, place.pipeline))} weights")
    return [line for line in lines if line]


def _in_words(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:.3g} million"
