"""How far each controller comes, where it goes wrong, and how its plans fare by shape, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.experts.controllers import KEYWORDS, MODEL, RIGHT, UNROUTED
from jobs.experts.findings import LABELS, Found
from jobs.experts.requests import Shape
from jobs.experts.routing import Outcome

COLORS = {RIGHT: "#a0a0a0", UNROUTED: "#7a3b8f", KEYWORDS: "#d9a13b", MODEL: "#2f6f9f"}
OUTCOME_COLORS = {
    Outcome.RIGHT: "#3c8c5a",
    Outcome.MISTAKEN: "#c9c9c9",
    Outcome.FAILED: "#777777",
    Outcome.WRONG_MODEL: "#7a3b8f",
    Outcome.WRONG_PLAN: "#d9a13b",
    Outcome.NO_PLAN: "#b5452c",
}
MEASURES = ("valid plans", "right plans", "right models", "right answers")


def draw(found: Mapping[str, Found], title: str, path: Path) -> None:
    """Three panels, as a PNG: from plans to answers, how requests ended, and success by the shape of the plan."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    figure.suptitle(title)
    measures, outcomes, shapes = figure.subplots(1, 3, width_ratios=(5, 4, 4))
    values = {one.name: [one.valid, one.planned, one.routed, one.success] for one in found.values()}
    _draw_bars(measures, MEASURES, values)
    measures.set(title="from plans to answers", ylabel="share (bars in %)")
    _draw_outcomes(outcomes, found)
    present = [shape for shape in Shape if all(one.of(shape).attempts for one in found.values())]
    by_shape = {one.name: [one.of(shape).success for shape in present] for one in found.values()}
    _draw_bars(shapes, present, by_shape)
    shapes.set(title="right answers by shape of the plan")
    for axes in (measures, outcomes, shapes):
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_bars(axes: Any, groups: Any, values: Mapping[str, list[float]]) -> None:
    width = 0.85 / len(values)
    for place, (name, heights) in enumerate(values.items()):
        left = [number + (place - (len(values) - 1) / 2) * width for number in range(len(groups))]
        bars = axes.bar(left, heights, width * 0.92, color=COLORS[name], label=LABELS[name])
        axes.bar_label(bars, [f"{100 * height:.0f}" for height in heights], fontsize=7, padding=1)
    axes.set_xticks(range(len(groups)), [str(group) for group in groups])
    axes.set_ylim(0, 1.08)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def _draw_outcomes(axes: Any, found: Mapping[str, Found]) -> None:
    names, left = [LABELS[name] for name in found], [0.0] * len(found)
    for outcome, color in OUTCOME_COLORS.items():
        widths = [one.outcomes[outcome] / len(one.attempts) for one in found.values()]
        bars = axes.barh(names, widths, left=left, color=color, label=str(outcome))
        axes.bar_label(
            bars, [f"{100 * width:.0f}" if width >= 0.06 else "" for width in widths], label_type="center", fontsize=8
        )
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set(title="how requests ended (%)", xlim=(0, 1))
    axes.set_xticks([])
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.04), ncols=3, frameon=False)
