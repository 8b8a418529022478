"""What a device makes of each form of the weights, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.device.study import DTYPES, Study

OWN, SHARED, TORCH, OURS = "#b5452c", "#d9a13b", "#a0a0a0", "#2f6f9f"


def draw(metrics: Mapping[str, float], study: Study, title: str, path: Path) -> None:
    """Three panels, as a PNG: speed and memory by form, and speed by threads."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    figure.suptitle(title)
    speed, memory, threads = figure.subplots(1, 3)
    _draw_speed(speed, metrics, study)
    _draw_memory(memory, metrics, study)
    _draw_threads(threads, metrics, study)
    for axes in (speed, memory, threads):
        axes.grid(alpha=0.3, axis="y")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _draw_speed(axes: Any, metrics: Mapping[str, float], study: Study) -> None:
    heights = [metrics[f"tokens_per_second_{form.lower()}"] for form in study.forms]
    bars = axes.bar(study.forms, heights, color=[TORCH if form in DTYPES else OURS for form in study.forms])
    joules = [metrics[f"joules_per_token_{form.lower()}"] for form in study.forms]
    axes.bar_label(bars, [f"{value:.2g} J" for value in joules], fontsize=8, padding=2)
    axes.set(ylabel="tokens a second", title=f"speed and energy a token, threads: {study.num_threads}")
    axes.tick_params(axis="x", labelsize=8)


def _draw_memory(axes: Any, metrics: Mapping[str, float], study: Study) -> None:
    copied = f"{study.studied}_copied"
    names = {form: form for form in study.types} | {copied: f"{study.studied}\ncopied"}
    names |= {dtype: dtype for dtype in DTYPES}
    own, shared = ([metrics[f"{key}_{form.lower()}"] for form in names] for key in ("private_mib", "mapped_mib"))
    axes.bar(list(names.values()), own, color=OWN, label="the process's own")
    axes.bar(list(names.values()), shared, bottom=own, color=SHARED, label="mapped from files")
    axes.set(ylabel="MiB added by the model", title="memory")
    axes.tick_params(axis="x", labelsize=8)
    axes.legend(fontsize=8, frameon=False)


def _draw_threads(axes: Any, metrics: Mapping[str, float], study: Study) -> None:
    labels = (f"llama.cpp, {study.studied}", f"PyTorch, {DTYPES[0]}")
    for form, label, color in zip(study.counted_up, labels, (OURS, TORCH), strict=True):
        rates = [metrics[f"tokens_per_second_{form.lower()}_at_{number}"] for number in study.threads]
        axes.plot(study.threads, rates, "o-", color=color, label=label)
    axes.set_xticks(study.threads)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="threads", ylabel="tokens a second", title="threads")
    axes.legend(fontsize=8, frameon=False)
