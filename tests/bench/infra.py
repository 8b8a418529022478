"""Measure the whole Pulumi program of a class under mocks: 200 students, and against 20.

python -m tests.bench infra

Runs where Pulumi is, in `.venv/sky`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.figure import ROOT, Figure, from_control

MANY, FEW = 200, 20
NUM_PAIRS = 5
CLASS = ROOT / "clusters" / "llm-2026.yaml"


def infra() -> list[Figure]:
    """The program of a class of many students and of few, in turn."""
    # The first compiles what the clouds' packages are made of.
    for num_pairs in (1, NUM_PAIRS):
        figures = from_control("tests.bench.infra", num_pairs)
    return figures


def main() -> None:
    """Measure, and print the figures as JSON."""
    began = time.perf_counter()
    first, num_resources = _seconds(MANY, began)
    pairs = [(_seconds(MANY)[0], _seconds(FEW)[0]) for _ in range(int(sys.argv[1]))]
    print(json.dumps([_time(first, num_resources), _growth(pairs)]))


def _time(seconds: float, num_resources: int) -> dict[str, Any]:
    return {
        "what": f"Whole stack under mocks, a class of {MANY} students, with its imports",
        "measured": f"{seconds:.1f} s ({num_resources:,} resources)",
        "wanted": "under 10 s",
        "met": seconds < 10,
    }


def _growth(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    ratios = [many / few for many, few in pairs]
    ratio = statistics.median(ratios)
    many, few = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    times = f"{many:.2f} s and {few:.2f} s"
    return {
        "what": f"Whole stack under mocks, {MANY} students against {FEW}",
        "measured": f"{ratio:.1f} ({min(ratios):.1f} to {max(ratios):.1f} in {len(pairs)} pairs; {times})",
        "wanted": "at most 12",
        "met": ratio <= 12,
    }


def _seconds(num_students: int, began: float | None = None) -> tuple[float, int]:
    """How long the repository's class takes with so many students, since `began` or from now, and its resources."""
    began = time.perf_counter() if began is None else began
    from clusterlab.cluster import Cluster
    from infra.stack import build
    from tests.infra.graph import run

    with tempfile.TemporaryDirectory(prefix="infra-") as folder:
        path = Path(folder) / CLASS.name
        text, roster = CLASS.read_text(), "\nroster: 24\n"
        if roster not in text:
            raise RuntimeError(f"{CLASS}: has no line `{roster.strip()}`")
        path.write_text(text.replace(roster, f"\nroster: {num_students}\n"))
        graph = run(lambda: build(Cluster.load(path, to_provision=True)))
    return time.perf_counter() - began, len(graph.resources)


if __name__ == "__main__":
    main()
