"""On the node: run a job, time it and write its record.

python -m jobs.launch.execute qlora --run=/absolute/folder --scale=tiny --steps=60
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

from clusterlab.config import from_flags
from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError, InputError, Problem, StorageError
from clusterlab.job import Job
from clusterlab.request import FINGERPRINT_VARIABLE, TAGS_VARIABLE, usd_per_hour
from clusterlab.run import RECORD, Asked, Run, Status
from clusterlab.submission.results import VARIABLE as RESULTS_VARIABLE
from clusterlab.submission.results import to_line
from clusterlab.tags import Tags
from jobs.launch.folder import VARIABLE as FOLDER_VARIABLE
from jobs.launch.folder import small_files
from jobs.launch.provenance import provenance

ROOT = Path(__file__).resolve().parents[2]
MICRODOLLAR = Decimal("0.000001")
HOUR = Decimal(3600)
PRIVATE = 0o700


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job that the flags describe; the record is the last line of standard output.

    A job that raises leaves a record too: `failed` with its error, `stopped` where it was interrupted.
    """
    name, folder_flag, *flags = sys.argv[1:] if arguments is None else arguments
    folder = Path(folder_flag.removeprefix("--run="))
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        folder = on_this_disk(folder, os.environ)
        os.environ[FOLDER_VARIABLE] = str(folder)
        job = Job.load(name, root=ROOT)
        config = from_flags(job.config_type, flags)
        run = begin(folder, job, config, os.environ)
        try:
            run = _run(job, config, run, folder)
        finally:
            _send_results(folder, os.environ)
    except ClusterlabError as error:
        print(f"jobs.{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(json.dumps(dataclasses.asdict(run)), flush=True)
    return EXIT_INTERRUPTED if run.status is Status.STOPPED else 0


def on_this_disk(folder: Path, environment: Mapping[str, str]) -> Path:
    """The run's folder where it can be written here, as on the machine that asked or on a disk that both have.

    Else one below the home of whoever runs Ray, where each student's is closed to other users: a path of a student's
    machine need not be possible on a node, and a relative one is meant there. The record goes back with the output.

    Raises:
        StorageError: neither can be written.
    """
    tags = Tags.parse(environment[TAGS_VARIABLE])
    of_student = Path.home() / "clusterlab-runs" / tags.student
    own = of_student / tags.lab / folder.name
    for each in (folder, own) if folder.is_absolute() else (own,):
        try:
            if each is own:
                of_student.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
                of_student.chmod(PRIVATE)
            each.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror
            continue
        if os.access(each, os.W_OK):
            return each
        reason = "no permission"
    raise StorageError(f"{own}: cannot be written: {reason}; neither can {folder}")


def begin(folder: Path, job: Job, config: object, environment: Mapping[str, str]) -> Run:
    """Write the record of a run that begins, or begins again; then it keeps its identity and counts its attempts.

    Raises:
        InputError: what is here differs from what was asked for.
        StorageError: the folder cannot be written.
    """
    tags = Tags.parse(environment[TAGS_VARIABLE])
    asked = Asked.of(tags.lab, job.name, config, root=ROOT)
    wanted = environment.get(FINGERPRINT_VARIABLE, asked.fingerprint)
    if asked.fingerprint != wanted:
        message = f"the node would run {asked.fingerprint[:8]}, asked was {wanted[:8]}; jobs/ or its lock has changed"
        raise InputError(Problem(path=FINGERPRINT_VARIABLE, message=message))
    before = Run.load(folder) if (folder / RECORD).exists() else None
    attempts = before.provenance["attempts"] + 1 if before else 1
    price = usd_per_hour(environment)
    run = Run(
        run_id=before.run_id if before else folder.name,
        fingerprint=asked.fingerprint,
        asked=asked,
        tags=tags.labels(),
        status=Status.RUNNING,
        started=before.started if before else _now(),
        provenance=provenance(environment)
        | {"attempts": attempts, "resumed": before is not None}
        | {"usd_per_hour": None if price is None else str(price)},
        cost_usd=_cost_before(before, price),
    )
    run.save(folder)
    return run


def _run(job: Job, config: object, run: Run, folder: Path) -> Run:
    """Call `main` and record how it ended; what it raised is raised again, an interruption apart."""
    start = time.perf_counter()
    try:
        metrics = _checked(job, job.main(config))
    except (KeyboardInterrupt, SystemExit):
        # Ray puts a handler of its own in the place of ours, and that one raises SystemExit.
        return _end(run, folder, start, status=Status.STOPPED)
    except BaseException as error:
        _end(run, folder, start, status=Status.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    return _end(run, folder, start, status=Status.SUCCEEDED, metrics=metrics)


def _send_results(folder: Path, environment: Mapping[str, str]) -> None:
    """Print what the run wrote, where whoever follows its output is to have it."""
    if environment.get(RESULTS_VARIABLE):
        print(to_line(small_files(folder) | {RECORD: (folder / RECORD).read_bytes()}), flush=True)


def _end(run: Run, folder: Path, start: float, **outcome: Any) -> Run:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    seconds = time.perf_counter() - start
    cost = _cost(run, seconds)
    run = dataclasses.replace(run, ended=_now(), seconds=seconds, cost_usd=cost, **outcome)
    run.save(folder)
    return run


def _checked(job: Job, metrics: object) -> dict[str, float]:
    """What `main` returned, if it is what a job returns; NaN and infinity are values that somebody measured."""
    if not isinstance(metrics, dict):
        raise TypeError(f"jobs.{job.name}.main returned a {type(metrics).__name__}, not a dict of metrics")
    for name, value in metrics.items():
        if not isinstance(name, str) or not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(f"jobs.{job.name}.main: metric {name!r} is a {type(value).__name__}, not a number")
    return metrics


def _cost_before(before: Run | None, price: Decimal | None) -> str | None:
    """What the attempts before cost, None where nobody knows: one that was killed left no time."""
    if price is None:
        return None
    known = before is None or before.status is not Status.RUNNING
    earlier = Decimal(0) if before is None or before.cost_usd is None else Decimal(before.cost_usd)
    if price != 0 and not (known and (before is None or before.cost_usd is not None)):
        return None
    return str(earlier.quantize(MICRODOLLAR))


def _cost(run: Run, seconds: float) -> str | None:
    """Dollars of all attempts, to the millionth."""
    if run.cost_usd is None:
        return None
    price = Decimal(run.provenance["usd_per_hour"])
    return str((Decimal(run.cost_usd) + Decimal(seconds) / HOUR * price).quantize(MICRODOLLAR))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
