"""Environments beside that of the jobs: where a method's libraries want other versions than the others'."""

from __future__ import annotations

import sys
from pathlib import Path

from clusterlab.errors import MissingError

ROOT = Path(__file__).resolve().parents[2]
OWN = "train"
"""The environment that the jobs run in."""


def python_of(environment: str, root: Path = ROOT) -> str:
    """The interpreter of an environment.

    Raises:
        MissingError: it has not been made; says by which command it is.
    """
    if environment == OWN:
        return sys.executable
    python = root / ".venv" / environment / "bin" / "python"
    # The mark of a finished installation: an interpreter is there long before its packages are.
    if not (python.parents[1] / "installed").exists() or not python.exists():
        raise MissingError(f".venv/{environment}: not there; `make env-{environment}` makes it")
    return str(python)


def lock_of(environment: str, root: Path = ROOT) -> Path:
    """The file with the versions of an environment."""
    return root / "images" / f"{environment}.lock"
