"""One line of BENCHMARKS.md, and where what is measured lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTROL = ROOT / ".venv" / "sky" / "bin" / "clusterlab"

REPORTED: dict[str, Any] = {"wanted": "reported as it comes", "met": None}
"""Of a figure of which nothing is promised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    wanted: str
    met: bool | None
    """None where nothing is promised."""


def at_least(ratio: float, least: float | None) -> dict[str, Any]:
    """What is wanted of a ratio, and whether it is met; without a least one it is only reported."""
    return REPORTED if least is None else {"wanted": f"at least {least:g}", "met": ratio >= least}
