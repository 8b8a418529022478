"""What is lost from generation to generation, as a picture: Gaussians and words above, language models below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.collapse.lineage import GRAM
from jobs.collapse.regime import LABELS, Regime

COLORS = {Regime.REPLACE: "#b5452c", Regime.KEEP: "#2f6f9f", Regime.ACCUMULATE: "#4d8f57"}
EXPECTED: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.2}
FORMULA = "formula"
BINS = 30


def draw(toys: Mapping[str, Any], models: Mapping[str, Any], title: str, path: Path) -> None:
    """Draw six panels and write a PNG; dotted lines are formulas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8.4), layout="constrained")
    panels = figure.subplots(2, 3)
    _draw_gaussian(panels[0][0], toys["gaussian"])
    _draw_words(panels[0][1], toys["words"], "known")
    panels[0][1].set(title="words that are still known", ylabel="words")
    panels[0][1].set_ylim(bottom=0)
    _draw_words(panels[0][2], toys["words"], "lost_mass")
    panels[0][2].set(title="real text whose words are lost", ylabel="share of the real distribution")
    _draw_models(panels[1][0], models, "perplexity", "before any training")
    panels[1][0].set(title=f"language model: {title}", ylabel="perplexity on held-out real text")
    _draw_written(panels[1][1], models)
    _draw_models(panels[1][2], models, "distinct", "the real text")
    panels[1][2].set(title="variety of what is written", ylabel=f"distinct runs of {GRAM} tokens (share)")
    for axes in panels.flat:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    # Between the curves, where matplotlib finds no room.
    panels[0][1].legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1, 0.4))
    FigureCanvasAgg(figure).print_png(path)


def _draw_gaussian(axes: Any, found: Mapping[str, Any]) -> None:
    for regime, color in COLORS.items():
        axes.plot(found[regime]["mean"], color=color, label=LABELS[regime])
        axes.plot(found[regime]["expected"], **EXPECTED)
    typical = found["unbiased"]["typical"]
    axes.plot(typical, color="#999999", label="only generated, unbiased: a typical line")
    axes.plot(found["unbiased"]["expected_typical"], **EXPECTED, label=FORMULA)
    axes.set(title="Gaussian fitted to its own samples", ylabel="variance (mean of all lines)", xlabel="generation")
    axes.set_ylim(bottom=0)


def _draw_words(axes: Any, found: Mapping[str, Any], name: str) -> None:
    for regime, color in COLORS.items():
        axes.plot(found[regime][name], color=color, label=LABELS[regime])
        axes.plot(found[regime][f"expected_{name}"], **EXPECTED)
    axes.lines[-1].set_label(FORMULA)
    axes.set(xlabel="generation")


def _draw_models(axes: Any, models: Mapping[str, Any], name: str, reference: str) -> None:
    for regime in _present(models):
        values = [record[name] for record in models[regime]]
        axes.plot(values, "o-", color=COLORS[regime], label=LABELS[regime], markersize=4)
    axes.axhline(models["real"][name], color="black", linewidth=1, linestyle="--", label=reference)
    axes.set(xlabel="generation")
    axes.set_xticks(range(len(values)))
    axes.margins(y=0.1)


def _draw_written(axes: Any, models: Mapping[str, Any]) -> None:
    """Histograms of perplexity, of equal bins of its logarithm."""
    import numpy as np
    from matplotlib import colormaps

    regime = _present(models)[0]
    records = models[regime]
    ends = [value for record in [models["real"], *records] for value in record["generated"]]
    bins = np.geomspace(min(ends), max(ends), BINS)
    real = models["real"]["generated"]
    axes.hist(real, bins, weights=_even(real), color="#cccccc", label="held-out real text")
    for number, record in enumerate(records):
        color = colormaps["plasma"](0.9 * number / max(1, len(records) - 1))
        values = record["generated"]
        axes.hist(values, bins, weights=_even(values), histtype="step", color=color, label=f"generation {number}")
    axes.set(
        xscale="log",
        title=f"what each generation writes ({LABELS[regime]})",
        xlabel="perplexity of a row to generation 0",
        ylabel="share of rows",
    )


def _even(values: Sequence[float]) -> list[float]:
    return [1 / len(values)] * len(values)


def _present(models: Mapping[str, Any]) -> list[Regime]:
    return [regime for regime in Regime if regime in models]
