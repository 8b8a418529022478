"""Latency against throughput as the load grows, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.load.summary import Summary

RATES = ((-0.2, "requests_per_second", "answered"), (0.2, "goodput_per_second", "within the SLO"))
PANELS = (("ttft", "time to first token (ms)"), ("tpot", "time per output token (ms)"))


def draw_loads(summaries: Sequence[Summary], title: str, unit: str, path: Path) -> None:
    """One point a load, joined in the order of the loads; a server past its limit goes up and no further right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    figure.suptitle(title)
    *latencies, useful = figure.subplots(1, 3)
    for axes, (name, label) in zip(latencies, PANELS, strict=True):
        shown = [summary for summary in summaries if getattr(summary, name) is not None]
        at = [summary.tokens_per_second for summary in shown]
        for percentile in ("p50", "p99"):
            heights = [getattr(getattr(each, name), percentile) * 1000 for each in shown]
            axes.plot(at, heights, "o-", label=percentile)
        for each, place in zip(shown, at, strict=True):
            above = (place, getattr(each, name).p99 * 1000)
            axes.annotate(f"{each.load:g}", above, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
        axes.set(xlabel=f"tokens/s (at each point: {unit})", ylabel=label)
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    places = range(len(summaries))
    for offset, name, label in RATES:
        useful.bar([place + offset for place in places], [getattr(each, name) for each in summaries], 0.4, label=label)
    useful.set_xticks(list(places), [f"{summary.load:g}" for summary in summaries])
    useful.set(xlabel=unit, ylabel="requests/s")
    for axes in (*latencies, useful):
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)
