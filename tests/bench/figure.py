"""One line of BENCHMARKS.md, and where what is measured lies."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTROL = ROOT / ".venv" / "sky" / "bin" / "clusterlab"
CONTROL_PYTHON = CONTROL.with_name("python")

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


def from_control(module: str, *arguments: object) -> list[Figure]:
    """What a module measures where the control plane is, and prints as JSON in its last line.

    Raises:
        subprocess.CalledProcessError: the module failed.
    """
    command = [str(CONTROL_PYTHON), "-m", module, *map(str, arguments)]
    # As `make` has it: Python keeps what it compiled, which of the clouds' packages takes longer than all the rest.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [Figure(**values) for values in json.loads(done.stdout.splitlines()[-1])]
