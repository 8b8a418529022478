"""One line of BENCHMARKS.md, and where what is measured lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTROL = ROOT / ".venv" / "sky" / "bin" / "clusterlab"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    wanted: str
    met: bool | None
    """None where nothing is promised."""
