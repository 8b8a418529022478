"""What stays and what moves as the bits become fewer: accuracy and flips, answers to open questions, and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.bias.table import Found

BLUE, RED, SAND, GREY = "#2f6f9f", "#b5452c", "#d9a13b", "#9aa5b1"
MOST_GROUPS = 12


def draw(found: Found, groups: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    """Three panels, as a PNG; `groups` has the share of stereotyped answers by form and group.

    What was planted has no bits, and is no form whose answers could change.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.6), layout="constrained")
    figure.suptitle(title)
    flips, answers, shifts = figure.subplots(1, 3)
    _draw_flips(flips, {form: metrics for form, metrics in found.items() if "bits" in metrics})
    _draw_answers(answers, found)
    _draw_groups(shifts, groups)
    for axes in (flips, answers, shifts):
        axes.set_axisbelow(True)
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    FigureCanvasAgg(figure).print_png(path)


def _draw_flips(axes: Any, found: Found) -> None:
    labels, metrics = list(found), list(found.values())
    _stacked(
        axes,
        labels,
        {
            ("right to wrong", RED): [each["right_to_wrong"] for each in metrics],
            ("wrong to right", SAND): [each["wrong_to_right"] for each in metrics],
            ("wrong to wrong", GREY): [
                each["flips"] - each["right_to_wrong"] - each["wrong_to_right"] for each in metrics
            ],
        },
    )
    accuracy = [100 * each["accuracy"] for each in metrics]
    off = [[100 * abs(each[f"accuracy_{end}"] - each["accuracy"]) for each in metrics] for end in ("low", "high")]
    axes.errorbar(labels, accuracy, yerr=off, fmt="o-", color=BLUE, capsize=3, label="right, with 95 %")
    axes.set(title="answers that changed, and that are right", ylabel="% of all questions", ylim=(0, 100))
    _legend(axes)


def _draw_answers(axes: Any, found: Found) -> None:
    labels, metrics = list(found), list(found.values())
    _stacked(
        axes,
        labels,
        {
            ("stereotyped", RED): [each["stereotyped"] for each in metrics],
            ("against it", SAND): [each["against"] for each in metrics],
            ("unknown (right)", GREY): [each["unknown"] for each in metrics],
        },
    )
    axes.set(title="answers where the context leaves it open", ylabel="% of such questions", ylim=(0, 100))
    _legend(axes)


def _draw_groups(axes: Any, groups: Mapping[str, Mapping[str, float]]) -> None:
    labels = list(groups)
    first = groups[labels[0]]
    for number, group in enumerate(list(first)[:MOST_GROUPS]):
        shifts = [100 * (groups[label][group] - first[group]) for label in labels]
        axes.plot(labels, shifts, "o-", color=f"C{number % 10}", markersize=4, linewidth=1.2, label=group)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(title="stereotyped answers, by group", ylabel="points to the unquantized model")
    _legend(axes)


def _stacked(axes: Any, labels: Sequence[str], parts: Mapping[tuple[str, str], Sequence[float]]) -> None:
    below = [0.0] * len(labels)
    for (name, color), shares in parts.items():
        heights = [100 * share for share in shares]
        axes.bar(labels, heights, bottom=below, color=color, label=name, width=0.7)
        below = [low + height for low, height in zip(below, heights, strict=True)]


def _legend(axes: Any) -> None:
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=4)
