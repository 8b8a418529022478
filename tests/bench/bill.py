"""What is promised of the bill's speed: ten million rows of FOCUS, against DuckDB's bare query and against pandas."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.figure import CONTROL_PYTHON, ROOT, Figure

ROWS = 10_000_000
MEMORY_GIB = 2.0


def bills() -> list[Figure]:
    """A bill of ten million rows: imported, and grouped by student x lab."""
    with tempfile.TemporaryDirectory(prefix="clusterlab-bench-") as folder:
        export, store = f"{folder}/export.parquet", f"{folder}/store"
        made = _run(CONTROL_PYTHON, "make", export, str(ROWS))
        taken = _run(CONTROL_PYTHON, "take-in", export, store)
        grouped = _run(CONTROL_PYTHON, "group", export, store)
        # The control plane has no pyarrow, which pandas reads Parquet with.
        pandas = _run(Path(sys.executable), "pandas", store)
    return [_over_bare(grouped), _over_pandas(grouped, pandas), _memory(made, taken, grouped)]


def _over_bare(grouped: dict[str, Any]) -> Figure:
    ratios = [pair["ours"] / pair["bare"] for pair in grouped["pairs"]]
    ratio, ours, export = statistics.median(ratios), _median(grouped, "ours"), _median(grouped, "bare_export")
    measured = (
        f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs; {ours:.2f} s; "
        f"the same from the export itself takes DuckDB {export:.2f} s)"
    )
    what = "10 million FOCUS rows (Parquet) by student x lab against DuckDB's bare query of the same"
    return Figure(what=what, measured=measured, wanted="at most 1.3", met=ratio <= 1.3)


def _over_pandas(grouped: dict[str, Any], pandas: dict[str, Any]) -> Figure:
    ours = _median(grouped, "ours")
    ratio, doubles = pandas["exact"] / ours, pandas["doubles"] / ours
    measured = f"{ratio:.0f} times as fast ({doubles:.1f} times where pandas is given doubles in place of decimals)"
    what = "The same against pandas"
    return Figure(what=what, measured=measured, wanted="at least 10 times", met=ratio >= 10)


def _memory(made: dict[str, Any], taken: dict[str, Any], grouped: dict[str, Any]) -> Figure:
    peak = max(taken["gib"], grouped["gib"])
    measured = f"{peak:.2f} GiB at most; importing {made['mib']} MiB took {taken['seconds']:.0f} s"
    what = "Memory of importing and grouping them"
    return Figure(what=what, measured=measured, wanted="under 2 GiB", met=peak < MEMORY_GIB)


def _median(grouped: dict[str, Any], side: str) -> float:
    seconds: list[float] = [pair[side] for pair in grouped["pairs"]]
    return statistics.median(seconds)


def _run(python: Path, *arguments: str) -> dict[str, Any]:
    command = [str(python), "-m", "tests.bench.bill_rows", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
