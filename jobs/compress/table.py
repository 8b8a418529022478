"""The rows of a sweep for programs (JSON) and for readers (a table of Markdown)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from jobs.compress.measure import UNITS
from jobs.compress.methods import UNQUANTIZED
from jobs.compress.row import Outcome, Row
from jobs.launch.markdown import table

DIGITS = {
    "bits_per_parameter": ".2f",
    "disk_mib": ".2f",
    "memory_mib": ".2f",
    "perplexity": ".3f",
    "kl_divergence": ".5f",
    "prefill_tokens_per_second": ".0f",
    "decode_tokens_per_second": ".1f",
    "quantization_seconds": ".1f",
    "peak_memory_gib": ".2f",
}


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write all rows as a list of JSON."""
    path.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n")


def markdown(rows: Sequence[Row]) -> str:
    """A table with a line a method; one that failed has its reason in the place of numbers."""
    return table(["method", "bits", *UNITS.values()], map(_cells, rows), num_texts=2)


def _cells(row: Row) -> list[str]:
    name = [row.family, "" if row.method == UNQUANTIZED else f"{row.bits:g}"]
    if row.outcome is Outcome.FAILED:
        reason = " ".join(row.reason.split()).replace("|", "\\|")
        return [*name, f"FAILED: {reason}", *[""] * (len(UNITS) - 1)]
    return [*name, *(format(row.metrics[unit], DIGITS[unit]) for unit in UNITS)]
