"""Exact match of every way to answer, by task: a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.tuning.merging import MERGES
from jobs.tuning.requests import ALL
from jobs.tuning.table import markdown

TITLES = {
    "base": "no adapter",
    "own": "own adapter",
    "routed": "routed",
    "xlora": "X-LoRA",
    "linear": "merged: linear",
    "cat": "merged: cat",
    "ties": "merged: TIES",
    "dare_linear": "merged: DARE, linear",
    "dare_ties": "merged: DARE, TIES",
    "joint": "one joint adapter",
}
"""In the order of the table."""

Ways = Mapping[str, Mapping[str, float]]


def ways_table(ways: Ways, tasks: Sequence[str]) -> str:
    """One row a way, one column a task, and all requests at the end."""
    rows = [
        [title, *(f"{ways[way][task]:.1%}" for task in (*tasks, ALL))] for way, title in TITLES.items() if way in ways
    ]
    return markdown(("exact match", *tasks, ALL), rows)


def draw_ways(ways: Ways, tasks: Sequence[str], title: str, path: Path) -> None:
    """Draw a bar a way for the requests of all tasks, a dot a task, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = [way for way in TITLES if way in ways]
    places = range(len(chosen))
    figure = Figure(figsize=(9, 0.5 + 0.45 * len(chosen)), layout="constrained")
    axes = figure.add_subplot()
    colors = ["#CC9900" if way in MERGES else "#999999" if way in ("base", "joint") else "#4477AA" for way in chosen]
    axes.barh(places, [ways[way][ALL] for way in chosen], color=colors, height=0.62, alpha=0.75)
    for place, way in zip(places, chosen, strict=True):
        # In a column of their own: a dot may lie anywhere along a bar.
        axes.text(1.16, place, f"{ways[way][ALL]:.0%}", ha="right", va="center", fontsize=9)
    for task, marker in zip(tasks, "osD^vP*X", strict=False):
        axes.plot([ways[way][task] for way in chosen], places, marker, color="#222222", markersize=4, label=task)
    axes.set_yticks(places, [TITLES[way] for way in chosen])
    axes.invert_yaxis()
    axes.set(title=title, xlabel="exact match on held-out requests: bar all tasks, dots one task each", xlim=(0, 1.18))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    FigureCanvasAgg(figure).print_png(path)
