"""The loss curve of a run as a picture."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any


def read_rows(metrics: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`; of a step that was done again the last, and none that a killed worker left torn."""
    rows = {}
    for line in metrics.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["phase"], row["step"]] = row
    return list(rows.values())


def read_losses(metrics: Path) -> dict[str, dict[int, float]]:
    """Loss by phase and step from `metrics.jsonl`."""
    losses: dict[str, dict[int, float]] = defaultdict(dict)
    for row in read_rows(metrics):
        if "loss" in row:
            losses[row["phase"]][row["step"]] = row["loss"]
    return dict(losses)


def draw_losses(
    losses: dict[str, dict[int, float]],
    title: str,
    path: Path,
    *,
    per: str = "response token",
    coincide: bool = False,
) -> None:
    """Draw the loss of each phase, in nats per `per`, against its step, and write a PNG.

    Curves that `coincide` are drawn from wide to narrow, so that each is seen below the next.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for below, (phase, by_step) in zip(reversed(range(len(losses))), losses.items(), strict=True):
        width = 1.5 + (1.4 * below if coincide else 0)
        axes.plot(list(by_step), list(by_step.values()), label=phase, linewidth=width, alpha=0.85)
    axes.set(title=title, xlabel="step", ylabel=f"training loss (nats a {per})")
    axes.margins(y=0.3 if coincide else None)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower left" if coincide else "best")
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)
