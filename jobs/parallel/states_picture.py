"""What a rank holds as a picture: measured beside predicted, and the paper's figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = {"parameters": "#4477AA", "gradients": "#EE9944", "optimizer": "#66AA77"}
BAR_WIDTH = 0.38


def draw_states(cases: Mapping[str, Mapping[str, Any]], paper_gb: Mapping[str, float], title: str, path: Path) -> None:
    """Draw MiB per rank of each case that ran, and the paper's 10^9 bytes by stage, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1])
    _draw_cases(left, {name: case for name, case in cases.items() if case["ran"]})
    left.set_title(title, fontsize=11)
    bars = right.bar([name.replace("_", "-") for name in paper_gb], list(paper_gb.values()), color="#999999", width=0.6)
    right.bar_label(bars, [f"{gb:.1f}" for gb in paper_gb.values()], padding=2)
    right.set(ylabel="GB per rank")
    right.set_title("the same formula: 7.5 billion weights,\n64 ranks (arXiv:1910.02054, figure 1)", fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(y=0.12)
    FigureCanvasAgg(figure).print_png(path)


def _draw_cases(axes: Any, cases: Mapping[str, Mapping[str, Any]]) -> None:
    for which, shift, look in (
        ("measured", -BAR_WIDTH / 2, {}),
        ("predicted", BAR_WIDTH / 2, {"hatch": "///", "alpha": 0.55}),
    ):
        places = [number + shift for number in range(len(cases))]
        below = [0.0] * len(cases)
        for part, color in PARTS.items():
            heights = [case[which][part] / 2**20 for case in cases.values()]
            label = part if which == "measured" else None
            bars = axes.bar(
                places, heights, BAR_WIDTH * 0.94, bottom=below, color=color, edgecolor="white", label=label, **look
            )
            below = [low + height for low, height in zip(below, heights, strict=True)]
        axes.bar_label(bars, [f"{total:.1f}" for total in below], padding=2, fontsize=8)
    axes.bar([0], [0], color="#BBBBBB", hatch="///", edgecolor="white", label="predicted")
    axes.set_xticks(range(len(cases)), list(cases))
    axes.set(ylabel="MiB per rank")
    axes.legend(frameon=False, fontsize=9)
