"""What each form of the weights takes on this device, as a table of Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.device.study import DTYPES, Study
from jobs.launch.markdown import table

JOULES_PER_WATT_HOUR = 3600
HEADS = (
    *("weights", "on disk, MiB", "tokens/s", "to the first token, s", "own memory, MiB", "mapped, MiB"),
    *("joules a token", "tokens a Wh"),
)


def markdown(metrics: Mapping[str, float], study: Study) -> str:
    """A line for each form, with `num_threads` threads."""
    copied = f"{study.studied}_copied"
    labels = {form: f"llama.cpp, {form}" for form in study.types} | {copied: f"llama.cpp, {study.studied}, copied"}
    labels |= {dtype: f"PyTorch, {dtype}" for dtype in DTYPES}
    rows = table(HEADS, [[label, *_cells(metrics, form.lower())] for form, label in labels.items()])
    energy = "as the processor counts it" if metrics["energy_counted"] else f"{study.watts_per_core:g} W a busy core"
    return f"One stream, threads: {study.num_threads}. Energy: {energy}.\n\n{rows}"


def _cells(metrics: Mapping[str, float], form: str) -> list[str]:
    disk, joules = metrics.get(f"disk_mib_{form}"), metrics[f"joules_per_token_{form}"]
    names = ("load_seconds", "private_mib", "mapped_mib")
    seconds, private, mapped = (metrics[f"{name}_{form}"] for name in names)
    cells = ["" if disk is None else f"{disk:,.0f}", f"{metrics[f'tokens_per_second_{form}']:,.1f}", f"{seconds:.2f}"]
    cells += [f"{private:,.0f}", f"{mapped:,.0f}", f"{joules:.3g}"]
    return [*cells, f"{JOULES_PER_WATT_HOUR / joules:,.0f}"]
