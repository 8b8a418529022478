"""Reproduce a lab: run it at `tiny` on this machine, and keep what it measured."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from clusterlab.config import Scale, parse
from clusterlab.errors import ClusterlabError
from clusterlab.job import Job
from clusterlab.lab import Lab
from clusterlab.local import run_lab
from clusterlab.reproduction.reproduction import Reproduction
from clusterlab.run import Asked, Run, Status, find_runs, unfinished
from clusterlab.tags import Tags

ENVIRONMENT = re.compile(r"\benv-([\w-]+)")
"""What a lab's `setup:` names of environments beside `train`."""
SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one lab came out."""

    lab: str
    verdict: str
    """`PASS`, `FAIL`, or `skipped`."""
    note: str = ""
    """Why it failed or was skipped, or that it had been done before."""
    reproduction: Reproduction | None = None


def reproduce(lab: Lab, *, root: Path, runs: Path, setup: bool, fresh: bool, console: Console) -> Outcome:
    """Run a lab at `tiny` and judge it.

    A run that asked for the very same and passed counts as it is, unless `fresh`; one that did not finish goes on.
    With `setup` the environments that the lab names are made first.

    Raises:
        InputError: the lab's own values are wrong.
        KeyboardInterrupt: it was interrupted; the next call goes on.
    """
    names = ENVIRONMENT.findall(lab.setup)
    failed = _set_up(names, root) if setup else None
    missing = [f"env-{name}" for name in names if not (root / ".venv" / name).is_dir()]
    if failed or missing:
        note = failed or f"its environment is missing; `make {' '.join(missing)}` makes it"
        return Outcome(lab=lab.name, verdict="FAIL" if failed else SKIPPED, note=note)
    envs = lab.envs | {"SCALE": str(Scale.TINY)}
    job = Job.load(lab.job, root=root, path=str(lab.path))
    asked = Asked.of(lab.name, job.name, parse(job.config_type, envs, path=f"{lab.path}: envs"), root=root)
    if not fresh and (before := _passed(lab, asked, runs)):
        return Outcome(lab=lab.name, verdict="PASS", note="ran before", reproduction=before)
    tags = Tags(course=lab.resources.labels.get("course", "local"), lab=lab.name, student="local")
    try:
        _, run = run_lab(lab, root=root, envs=envs, tags=tags, runs=runs, fresh=fresh, console=console)
    except ClusterlabError as error:
        return _failure(lab, asked, runs, error)
    kept = Reproduction.of(run, lab)
    return Outcome(lab=lab.name, verdict=kept.verdict, reproduction=kept)


def _set_up(names: list[str], root: Path) -> str | None:
    """Make the environments; what failed, if anything did."""
    command = ["make", "--silent", *(f"env-{name}" for name in names)]
    if not names or subprocess.run(command, cwd=root, check=False).returncode == 0:
        return None
    return f"`{' '.join(command)}` failed"


def _passed(lab: Lab, asked: Asked, runs: Path) -> Reproduction | None:
    """The newest run that asked for the same and passes what the lab expects now."""
    for _, run in reversed(list(find_runs(runs / lab.name))):
        if run.fingerprint == asked.fingerprint and run.status is Status.SUCCEEDED:
            found = Reproduction.of(run, lab)
            return found if found.verdict == "PASS" else None
    return None


def _failure(lab: Lab, asked: Asked, runs: Path, error: ClusterlabError) -> Outcome:
    """A job that failed has a record, unless it did not come so far."""
    folder = unfinished(runs, asked)
    run = Run.load(folder) if folder else None
    kept = Reproduction.of(run, lab) if run and run.status is Status.FAILED else None
    return Outcome(lab=lab.name, verdict="FAIL", note=str(error), reproduction=kept)
