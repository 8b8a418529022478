"""Methods of fine-tuning side by side: memory by part, what they learned by what they trained, and ranks by layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.tuning.methods import METHODS

PARTS = {"weights": "#4477AA", "gradients": "#EE9944", "optimizer": "#66AA77"}
COLORS = {
    "lora": "#4477AA",
    "qlora": "#66CCEE",
    "dora": "#228833",
    "adalora": "#AA3377",
    "ia3": "#CC9900",
    "full": "#333333",
}
MARKERS = {"lora": "o", "qlora": "s", "dora": "^", "adalora": "D", "ia3": "v", "full": "P"}


def draw_family(found: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any], title: str, path: Path) -> None:
    """Draw memory in MiB, exact match against the weights trained, and ranks that were moved, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    moved = [record for record in found.values() if "ranks_after" in record]
    figure = Figure(figsize=(15 if moved else 10, 4.4), layout="constrained")
    panels = figure.subplots(1, 2 + len(moved))
    _draw_memory(panels[0], found)
    _draw_learned(panels[1], found, base)
    for axes, record in zip(panels[2:], moved, strict=True):
        _draw_ranks(figure, axes, record)
    for axes in panels[:2]:
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    FigureCanvasAgg(figure).print_png(path)


def _draw_memory(axes: Any, found: Mapping[str, Mapping[str, Any]]) -> None:
    names = [METHODS[name].title for name in found]
    below = [0.0] * len(names)
    for part, color in PARTS.items():
        heights = [record[f"{part}_mib"] for record in found.values()]
        bars = axes.bar(names, heights, bottom=below, color=color, edgecolor="white", label=part, width=0.7)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.bar_label(bars, [f"{total:.1f}" for total in below], padding=2, fontsize=8)
    axes.set(title="memory while training, activations apart", ylabel="MiB")
    axes.tick_params(axis="x", rotation=30)
    axes.margins(y=0.1)
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _draw_learned(axes: Any, found: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any]) -> None:
    for name, record in found.items():
        axes.plot(
            record["trainable_parameters"],
            record["exact_match"],
            MARKERS[name],
            color=COLORS[name],
            label=METHODS[name].title,
            markersize=9,
            linestyle="none",
        )
    axes.axhline(base["exact_match"], color="#999999", linestyle="--", linewidth=1, label="untouched base")
    axes.set_xscale("log")
    axes.set(
        title="what they learned", xlabel="weights trained", ylabel="exact match on held-out questions", ylim=(-0.03, 1)
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="best")


def _draw_ranks(figure: Any, axes: Any, record: Mapping[str, Any]) -> None:
    """Ranks after training: a row a layer of the model, a column a kind of matrix."""
    after, initial = record["ranks_after"], max(record["ranks_before"].values())
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in after))
    layers = list(dict.fromkeys(_number(name) for name in after))
    table = [[float("nan")] * len(kinds) for _ in layers]
    for name, rank in after.items():
        table[layers.index(_number(name))][kinds.index(name.rpartition(".")[2])] = rank
    image = axes.imshow(table, cmap="viridis", vmin=0, vmax=initial, aspect="auto")
    if len(layers) <= 12:
        for row, ranks in enumerate(table):
            for column, rank in enumerate(ranks):
                if rank == rank:  # not a number where a layer has no such matrix
                    color = "black" if rank > 0.6 * initial else "white"
                    axes.text(column, row, f"{rank:.0f}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
    step = max(1, len(layers) // 12)
    axes.set_yticks(range(0, len(layers), step), layers[::step])
    mean = sum(after.values()) / len(after)
    axes.set(title=f"AdaLoRA's ranks: {initial} everywhere before,\n{mean:.1f} in the mean after", ylabel="layer")
    figure.colorbar(image, ax=axes, label="rank")


def _number(name: str) -> str:
    """`0` of `model.layers.0.self_attn.q_proj`."""
    return next((part for part in name.split(".") if part.isdigit()), "")
