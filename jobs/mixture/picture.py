"""Where tokens went, as a picture: each expert's share by layer, with and without the balance loss, and by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.mixture.routing import Routing


def draw_routing(routings: Mapping[str, Routing], kinds: Sequence[str], title: str, path: Path) -> None:
    """Draw a heat map of each routing's loads, and below each that of kinds in the layer that tells most of them.

    Shares are in percent, and a PNG is written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(routings), 6.4), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subplots(2, len(routings), height_ratios=(1, 1.6), squeeze=False)
    most = max(float(each.by_kind().max()) for each in routings.values())
    for column, (name, routing) in enumerate(routings.items()):
        layers = [f"layer {number}" for number in range(1, len(routing.counts) + 1)]
        image = _heat_map(above[column], routing.loads(), layers, most)
        above[column].set_title(f"{name}: tokens of a layer")
        layer = routing.layer_of_kinds()
        _heat_map(below[column], routing.by_kind()[layer], kinds, most)
        below[column].set_title(f"tokens of a kind, in layer {layer + 1}")
        below[column].set_xlabel("expert")
    figure.colorbar(image, ax=[*above, *below], label="share of the tokens", shrink=0.6, format="{x:.0%}")
    FigureCanvasAgg(figure).print_png(path)


def _heat_map(axes: Any, shares: Any, names: Sequence[str], most: float) -> Any:
    image = axes.imshow(shares, cmap="YlGnBu", vmin=0, vmax=most, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(shares.shape[1]), range(1, shares.shape[1] + 1))
    for row, column in ((row, column) for row in range(shares.shape[0]) for column in range(shares.shape[1])):
        share = shares[row, column]
        color = "white" if share > 0.55 * most else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return image
