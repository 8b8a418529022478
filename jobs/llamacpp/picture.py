"""What the types of a GGUF file cost and lose, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

READ, WRITTEN = "prefill_tokens_per_second", "decode_tokens_per_second"


def draw_types(metrics: Mapping[str, float], types: Sequence[str], title: str, path: Path) -> None:
    """Divergence against bits of the quantized types, and the speed of all, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    lost, fast = figure.subplots(1, 2)
    for name in types:
        bits, divergence = (metrics[f"{metric}_{name.lower()}"] for metric in ("bits_per_parameter", "kl_divergence"))
        # Of a file that is exact the divergence is the rounding of float32, below zero as often as above.
        lost.plot(bits, max(divergence, 1e-9), "o", color="tab:blue")
        lost.annotate(name, (bits, max(divergence, 1e-9)), xytext=(6, 4), textcoords="offset points", fontsize=9)
    lost.set(xlabel="stored bits a weight of the blocks", ylabel="KL to the source (nats a token)", yscale="log")
    lost.margins(x=0.18, y=0.12)
    places = range(len(types))
    for offset, metric, label in ((-0.2, READ, "reading a prompt"), (0.2, WRITTEN, "writing")):
        heights = [metrics[f"{metric}_{name.lower()}"] for name in types]
        fast.bar([place + offset for place in places], heights, width=0.4, label=label)
    fast.set(ylabel="tokens a second, one sequence")
    fast.set_xticks(list(places), types)
    fast.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
    for axes in (lost, fast):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)
