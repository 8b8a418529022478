"""Run a lab on this machine, by its own `run:` lines.

`run_lab` chooses the folder and starts bash; `keeper.py` sees to it that nothing outlives whoever asked, and
`progress.py` shows how far the job is by the lines that it adds to `metrics.jsonl`.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from clusterlab.config import parse
from clusterlab.errors import ClusterlabError, MissingError, StorageError
from clusterlab.job import Job
from clusterlab.lab import Lab
from clusterlab.local.keeper import keep, release
from clusterlab.local.progress import follow
from clusterlab.run import METRICS, RECORD, Asked, Run, Status, held, new_run_folder, unfinished
from clusterlab.tags import Tags

LOG = "output.log"
GRACE_SECONDS = 60
"""How long an interrupted job has to write its record, before it is killed."""
NUM_LINES = 12
"""How much of its output a failure shows."""
TRAIN = Path(".venv", "train")


def run_lab(
    lab: Lab, *, root: Path, envs: Mapping[str, str], tags: Tags, runs: Path, fresh: bool = False, console: Console
) -> tuple[Path, Run]:
    """Run a lab's `run:` lines with bash in the repository at `root`, and show how far it is.

    It goes on with an unfinished run that asked for the same, unless `fresh`. Its output goes to `output.log` in the
    run's folder. Nothing that it started is left, however this ends.

    Returns the run's folder and its record.

    Raises:
        InputError: a value of `envs` or of the lab is wrong.
        MissingError: jobs have no environment to run in here.
        StorageError: the run's folder cannot be written.
        ClusterlabError: the job failed; carries the code that it ended with.
        KeyboardInterrupt: it was interrupted; so is the job, and its record says so.
    """
    job = Job.load(lab.job, root=root, path=str(lab.path))
    values = lab.envs | dict(envs)
    config = parse(job.config_type, values, path=f"{lab.path}: envs")
    tags = dataclasses.replace(tags, lab=lab.name)
    _require_environment(root)
    asked = Asked.of(lab.name, job.name, config, root=root)
    folder = _choose_folder(runs.absolute(), asked, fresh=fresh, console=console)
    names = {field.name.upper() for field in dataclasses.fields(job.config_type)}
    environment = {name: value for name, value in os.environ.items() if name not in names} | values
    environment |= {
        "CLUSTERLAB_TAGS": tags.format(),
        "CLUSTERLAB_RUN_DIR": str(folder),
        # This machine is paid for already.
        "CLUSTERLAB_USD_PER_HOUR": "0",
        # Its output is a pipe's, where Python would put it behind what an error says.
        "PYTHONUNBUFFERED": "1",
    }
    with held(folder):
        pass  # Whether it can be written; the job itself holds it then.
    _run(lab, root, folder, environment, console)
    return folder, Run.load(folder)


def _require_environment(root: Path) -> None:
    if (root / TRAIN).is_dir():
        return
    python = shutil.which("python")
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ray') is None)"
    if python is None or subprocess.run([python, "-c", probe], check=False).returncode:
        raise MissingError(f"{TRAIN}: missing, and `python` has no ray; `make env` makes what jobs run in")


def _choose_folder(runs: Path, asked: Asked, *, fresh: bool, console: Console) -> Path:
    folder = None if fresh else unfinished(runs, asked)
    if folder is None:
        return new_run_folder(runs, asked)
    console.print(f"going on with {folder}, which asked for the same and did not finish")
    return folder


def _run(lab: Lab, root: Path, folder: Path, environment: Mapping[str, str], console: Console) -> None:
    log = folder / LOG
    try:
        output = log.open("wb")
    except OSError as error:
        raise StorageError(f"{log}: cannot be written: {error.strerror}") from error
    with sigterm_interrupts():
        with output:
            command = ["bash", "-c", lab.run]
            keeper = keep(command, cwd=root, env=environment, output=output, grace_seconds=GRACE_SECONDS)
        try:
            follow(folder / METRICS, console, lambda seconds: _ended(keeper, seconds))
        finally:
            code = _release(keeper)
    if code:
        raise _failure(lab, folder, code)


def _ended(keeper: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        keeper.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _release(keeper: subprocess.Popen[bytes]) -> int:
    """End what is left; whoever interrupts once more does not wait for it."""
    try:
        return release(keeper)
    except KeyboardInterrupt:
        keeper.terminate()
        keeper.wait()
        raise


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Take a SIGTERM as a Ctrl-C meanwhile; only a program's main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _failure(lab: Lab, folder: Path, code: int) -> ClusterlabError:
    """The reason that the record has, or else the end of the output."""
    run = Run.load(folder) if (folder / RECORD).exists() else None
    reason = run.error if run is not None and run.status is Status.FAILED else None
    lines = (folder / LOG).read_text(errors="replace").splitlines()
    shown = "\n".join(line for line in lines if line.strip()).splitlines()[-NUM_LINES:]
    what = f"{lab.path}: failed with exit code {code}" + (f": {reason}" if reason else "")
    error = ClusterlabError("\n".join([f"{what}; the whole output is in {folder / LOG}", *shown]))
    error.exit_code = code if code in range(1, 6) else ClusterlabError.exit_code
    return error
