"""What rounding adds to the loss at each bit width, after training and within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SERIES = {
    "ptq": ("rounded", "#9aa5b1"),
    "tuned_ptq": ("trained in float, then rounded", "#b5452c"),
    "qat": ("trained rounded (QAT), with the share recovered", "#2f6f9f"),
}


def draw_recovered(
    losses: Mapping[str, Sequence[float]], tuned: float, bits: Sequence[int], title: str, path: Path
) -> None:
    """Draw the loss that each way adds to that of the model fine-tuned in float, and write a PNG.

    `losses` has one value for each of `bits` by key of `SERIES`, in nats a token; `tuned` is the loss compared with.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.27
    for place, (key, (label, color)) in enumerate(SERIES.items()):
        added = [loss - tuned for loss in losses[key]]
        axes.bar([n + (place - 1) * width for n in range(len(bits))], added, width, label=label, color=color)
    for number, (ptq, qat) in enumerate(zip(losses["tuned_ptq"], losses["qat"], strict=True)):
        share = (ptq - qat) / (ptq - tuned)
        axes.annotate(
            f"{share:.0%}",
            (number + width, max(qat - tuned, 0)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
            color=SERIES["qat"][1],
        )
    axes.set_xticks(range(len(bits)), [f"{width} bits" for width in bits])
    axes.set(title=title, xlabel="weights", ylabel="loss above the float fine-tuned model\n(nats a token)")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(path)
