"""What outliers do to int8, and what the migration does to outliers: two panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.compress.outlier_rows import LABELS, Form, Row

COLORS = {
    Form.VECTORWISE: "#b5452c",
    Form.BITSANDBYTES: "#d9a13b",
    Form.LLM_INT8: "#2f6f9f",
    Form.SMOOTHQUANT: "#4d8f57",
}
MARKERS = {Form.VECTORWISE: "o", Form.BITSANDBYTES: "s", Form.LLM_INT8: "^", Form.SMOOTHQUANT: "D"}


def draw_outliers(
    rows: Sequence[Row], maxima: Mapping[str, Sequence[float]], threshold: float, title: str, path: Path
) -> None:
    """Draw KL against the outliers' magnitude, and the channels' maxima before and after, and write a PNG.

    `maxima` has `before` and `after`: the largest magnitude of each channel after one norm.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    error, channels = figure.subplots(1, 2)
    _draw_error(error, rows)
    _draw_channels(channels, maxima, threshold)
    for axes in (error, channels):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    FigureCanvasAgg(figure).print_png(path)


def _draw_error(axes: Any, rows: Sequence[Row]) -> None:
    for form, label in LABELS.items():
        points = {row.magnitude: row.kl for row in rows if row.form is form}
        axes.loglog(
            list(points), list(points.values()), color=COLORS[form], marker=MARKERS[form], markersize=5, label=label
        )
    magnitudes = sorted({row.magnitude for row in rows})
    axes.set_xticks(magnitudes, [f"{magnitude:g}" for magnitude in magnitudes])
    axes.minorticks_off()
    axes.set(
        title="error of the model",
        xlabel="planted outliers (times their own magnitude)",
        ylabel="KL to the unquantized model (nats a token)",
    )
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)  # Room for the legend above the curves.


def _draw_channels(axes: Any, maxima: Mapping[str, Sequence[float]], threshold: float) -> None:
    colors = {"before": COLORS[Form.VECTORWISE], "after": COLORS[Form.SMOOTHQUANT]}
    for name, values in maxima.items():
        axes.plot(values, color=colors[name], linewidth=1, label=f"{name} the migration", alpha=0.9)
    axes.axhline(threshold, color="black", linewidth=1, linestyle="--")
    axes.annotate(
        f"threshold {threshold:g}",
        (0.01, threshold),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="bottom",
        fontsize=8,
    )
    axes.set_yscale("log")
    axes.set(title="activations after one norm", xlabel="channel", ylabel="largest magnitude")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.2)
    axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
