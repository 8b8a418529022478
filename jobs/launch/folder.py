"""The folder of the run: which one it is, and what a job writes there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from clusterlab.errors import MissingError
from clusterlab.request import FOLDER_VARIABLE
from clusterlab.run import METRICS, RECORD, Asked, append_line, new_run_folder, unfinished

VARIABLE = FOLDER_VARIABLE
RUNS_VARIABLE = "CLUSTERLAB_RUNS"
TASK_VARIABLE = "SKYPILOT_TASK_ID"
"""Set by SkyPilot; a managed job keeps it when it is begun again on another machine."""
NOT_SENT = {RECORD, "checkpoints"}
MAX_SENT = 16 * 2**20
"""Bytes of a file that goes from one node's disk to another's."""


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


def small_files(folder: Path) -> dict[str, bytes]:
    """What a job wrote below a run's folder, by relative path: results and not checkpoints, nor what is too big."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    kept = [path for path in paths if path.parts[0] not in NOT_SENT and not path.name.startswith(".")]
    return {str(path): (folder / path).read_bytes() for path in kept if (folder / path).stat().st_size <= MAX_SENT}
