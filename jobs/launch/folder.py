"""The folder of the run that this process works for."""

from __future__ import annotations

import os
from pathlib import Path

from clusterlab.errors import MissingError
from clusterlab.run import METRICS, append_line

VARIABLE = "CLUSTERLAB_RUN_DIR"


def run_folder() -> Path:
    """Where the run's record, metrics, checkpoints and pictures go.

    Raises:
        MissingError: the process was not started by `jobs.submit`.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise MissingError(f"{VARIABLE}: not set; start a job with `python -m jobs.submit <job>`")
    return Path(folder)


def report(phase: str, step: int, steps: int, **values: float) -> None:
    """Add one line to `metrics.jsonl`: step `step` of `steps`, counted from 1, in a phase of the job."""
    append_line(run_folder() / METRICS, {"phase": phase, "step": step, "steps": steps} | values)
