"""Environments beside that of the jobs, whose libraries want other versions, and a module that runs in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from clusterlab.errors import EXIT_CODES, ClusterlabError, MissingError
from clusterlab.local.keeper import keep, release

ROOT = Path(__file__).resolve().parents[2]
ROOTS = (ROOT, Path(sys.prefix).parents[1])
"""Where `.venv` may be: in this repository, or, for a job on a shared cluster, which runs in a package of its own, in
that whose Python it was given."""
OWN = "train"
"""The environment that the jobs run in."""
_DIED = 128
"""A keeper's exit status is this and the number of the signal that ended what it kept."""


class ProcessFailedError(ClusterlabError):
    """A process of another environment did not come to its end."""


def folder_of(environment: str, *roots: Path) -> Path:
    """The folder of an environment: the first that has been made, of all `ROOTS` where none is given."""
    folders = [root / ".venv" / environment for root in roots or ROOTS]
    # The mark of a finished installation: an interpreter is there long before its packages are.
    return next((folder for folder in folders if (folder / "installed").exists()), folders[0])


def python_of(environment: str, *roots: Path) -> str:
    """The interpreter of an environment.

    Raises:
        MissingError: it has not been made; says by which command it is.
    """
    if environment == OWN:
        return sys.executable
    folder = folder_of(environment, *roots)
    python = folder / "bin" / "python"
    if not (folder / "installed").exists() or not python.exists():
        raise MissingError(f".venv/{environment}: not there; `make env-{environment}` makes it")
    return str(python)


def lock_of(environment: str, root: Path = ROOT) -> Path:
    """The file with the versions of an environment."""
    return root / "images" / f"{environment}.lock"


def run_module(
    module: str, folder: Path, *, environment: str, log: Path, num_threads: int, seconds: float | None = None
) -> None:
    """Run `python -m <module> <folder>` in an environment, in that folder, and wait; what it prints is added to `log`.

    Nothing of it outlives this process, not even where that is killed.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it took longer than `seconds`, crashed, or failed, with what it said last.
    """
    command = [python_of(environment), "-m", module, str(folder)]
    variables = os.environ | {"OMP_NUM_THREADS": str(num_threads), "PYTHONPATH": str(ROOT)}
    with log.open("ab") as output:
        # Not in the repository: libraries leave files of their own where they run, as GPTQModel does its logs.
        keeper = keep(command, cwd=folder, env=variables, output=output)
        try:
            code = keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessFailedError(f"not done after {seconds:.0f} s") from None
        finally:
            release(keeper)
    if code != 0:
        error = ProcessFailedError(_reason(code, log))
        error.exit_code = code if code in EXIT_CODES else ProcessFailedError.exit_code
        raise error


def _reason(code: int, log: Path) -> str:
    """The signal that ended a process or its keeper, or the last thing that it said."""
    number = -code if code < 0 else code - _DIED
    if number in set(signal.Signals):
        return f"killed by {signal.Signals(number).name}"
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return said[-1] if said else f"exit code {code}"
