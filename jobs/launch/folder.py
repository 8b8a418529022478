"""The folder of the run: which one it is, and what a job writes there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from clusterlab.errors import MissingError
from clusterlab.run import METRICS, Asked, append_line, new_run_folder, unfinished

VARIABLE = "CLUSTERLAB_RUN_DIR"
RUNS_VARIABLE = "CLUSTERLAB_RUNS"
TASK_VARIABLE = "SKYPILOT_TASK_ID"
"""Set by SkyPilot; a managed job keeps it when it is begun again on another machine."""


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


def choose_folder(asked: Asked, environment: Mapping[str, str]) -> Path:
    """The folder that is given, that of the SkyPilot task, that of a run to go on with, or else a new one.

    Returns an absolute path. `CLUSTERLAB_RUNS` says where the runs are, `runs` where it is not set.

    Raises:
        StorageError: it cannot be made.
    """
    given, task = environment.get(VARIABLE), environment.get(TASK_VARIABLE)
    if given:
        return Path(given).absolute()
    runs = Path(environment.get(RUNS_VARIABLE) or "runs").absolute()
    if task:
        return runs / asked.lab / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', task)}-{asked.fingerprint[:8]}"
    return unfinished(runs, asked) or new_run_folder(runs, asked)
