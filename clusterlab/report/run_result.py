"""Show one run that has just ended: its results, its pictures, its cost, and what the lab would cost on one GPU."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.config import Scale
from clusterlab.cost.command import offered_to
from clusterlab.lab import Lab
from clusterlab.plan import dollars, plan
from clusterlab.report.results import Entry, entry, render_run
from clusterlab.run import Run
from clusterlab.terminal import print_json, terminal


def show_run(lab: Lab, folder: Path, record: Run, *, json: bool) -> Entry:
    """Print it; how it stands to the lab."""
    shown, planned = entry(folder, record, lab), _planned_at_single(lab)
    if json:
        print_json(shown.as_json() | {"planned_usd_at_single": planned})
        return shown
    console = terminal()
    for part in render_run(shown, lab, width=console.width):
        console.print(part)
    if planned:
        line = f"planned  {planned} USD expected at SCALE=single; `clusterlab plan {lab.path}` has the range"
        console.print(line, highlight=False, soft_wrap=True)
    return shown


def _planned_at_single(lab: Lab) -> str | None:
    """Dollars expected on one GPU, or `unknown`; None where the lab has no such scale."""
    prices = offered_to(lab, Catalog.load(), [])
    estimate = plan(lab, prices, today=datetime.now(UTC).date()).at(Scale.SINGLE)
    return dollars(estimate.expected.usd) if estimate else None
