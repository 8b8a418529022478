"""How many attacks of each family ran their code, with the guard and without, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.agents.findings import MODES, by_family, share
from jobs.agents.trace import Trace

COLORS = {True: "#3c8c5a", False: "#b5452c"}


def draw(traces: Sequence[Trace], title: str, path: Path) -> None:
    """One pair of bars a family, as a PNG; a bar that is not there is 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    families = by_family(traces)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots()
    for place, (guarded, mode) in enumerate(MODES.items()):
        left = [number + (place - 0.5) * 0.4 for number in range(len(families))]
        rates = [share(modes[guarded], lambda trace: trace.attacked) or 0 for modes in families.values()]
        bars = axes.bar(left, [100 * rate for rate in rates], 0.37, color=COLORS[guarded], label=mode)
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
    axes.set_xticks(range(len(families)), list(families))
    axes.set(ylabel="attacks whose code was run, %", ylim=(0, 112), title=title)
    axes.grid(alpha=0.3, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", ncols=2)
    FigureCanvasAgg(figure).print_png(path)
