"""What happened: one folder and one `run.json` for each run of a lab."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import os
import shutil
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from clusterlab.config import PINNED, Source
from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.fingerprint import digest_file, digest_files, fingerprint

RECORD = "run.json"
METRICS = "metrics.jsonl"
"""One line a training step: `phase`, `step`, `steps`, and what was measured."""
MIN_FREE_BYTES = 256 * 2**20
"""What must be free on the disk of a run's folder before it begins."""

_LOCK = ".lock"
_PROBE = ".probe"


class Status(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    """Interrupted by somebody; the next run that asks for the same goes on from its checkpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What was asked for; everything that decides the result, and nothing else."""

    lab: str
    job: str
    config: dict[str, Any]
    """Every value of the job's Config."""
    code: str
    """SHA-256 over the files of `jobs/`, the facts that they ship included."""
    lock: str
    """SHA-256 of `images/train.lock`."""
    revisions: dict[str, str]
    """What each model and data set was, by Config field: a pinned hub id, or the SHA-256 of a folder's files."""

    @classmethod
    def of(cls, lab: str, job: str, config: object, *, root: Path) -> Asked:
        """Describe a job with its values, in the repository at `root`."""
        values = dataclasses.asdict(typing.cast(Any, config))
        hints = typing.get_type_hints(type(config))
        sources = {name: values[name] for name in values if hints[name] is Source}
        return cls(
            lab=lab,
            job=job,
            config=values,
            code=digest_files(root, _code(root / "jobs")),
            lock=digest_file(root / "images" / "train.lock"),
            revisions={name: _revision(source) for name, source in sources.items()},
        )

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal letters."""
        return fingerprint(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The record of a run, as it is in `run.json`."""

    run_id: str
    fingerprint: str
    asked: Asked
    tags: dict[str, str]
    status: Status
    started: str
    """ISO 8601, UTC."""
    ended: str | None = None
    seconds: float | None = None
    """From the start of the job's `main` to its end, of the last attempt."""
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    """Where and with what it ran: commit, packages, device, attempts."""
    cost_usd: str | None = None
    """A decimal number as text; None where the price is unknown."""
    error: str | None = None

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read `run.json` of a run's folder.

        Raises:
            InputError: it cannot be read as a record.
        """
        path = folder / RECORD
        try:
            return cls.of(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(Problem(path=str(path), message=f"not a run record: {error}")) from error

    @classmethod
    def of(cls, values: dict[str, Any]) -> Run:
        """Read a record's values; ValueError, TypeError or KeyError where they are no record."""
        return cls(**values | {"asked": Asked(**values["asked"]), "status": Status(values["status"])})

    def save(self, folder: Path) -> None:
        """Write `run.json`, whole or not at all.

        Raises:
            StorageError: the folder cannot be written.
        """
        write_atomically(folder / RECORD, json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def new_run_folder(runs: Path, asked: Asked, *, suffix: str = "", now: datetime | None = None) -> Path:
    """Make `runs/<lab>/<UTC time>-<fingerprint>/`, empty, with a suffix where its name must stay its own.

    Raises:
        StorageError: it cannot be made.
    """
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    base = runs / asked.lab / f"{stamp}-{asked.fingerprint[:8]}{suffix}"
    for attempt in range(1, 1000):
        folder = base if attempt == 1 else base.with_name(f"{base.name}-{attempt}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise StorageError(f"{folder}: a file is in the way") from None
        except OSError as error:
            raise StorageError(f"{folder}: cannot be made: {error.strerror}") from error
    raise StorageError(f"{base}: too many runs began in this second")


def unfinished(runs: Path, asked: Asked) -> Path | None:
    """The newest folder of a run that asked for the same, did not finish and is not running now, to go on with."""
    for folder, run in reversed(list(find_runs(runs / asked.lab))):
        same = run.fingerprint == asked.fingerprint and run.status is not Status.SUCCEEDED
        if same and not in_use(folder):
            return folder
    return None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a run's folder to this process; the system lets go of it when the process ends, however it ends.

    Raises:
        StorageError: another process holds it, it cannot be written, or its disk has less than `MIN_FREE_BYTES` left.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, f"{free >> 20} MiB free, a run needs at least {MIN_FREE_BYTES >> 20} MiB")
        # A disk may be full though it says that it has room (a quota), so write something.
        write_atomically(folder / _PROBE, "x" * 2**16)
        (folder / _PROBE).unlink()
        lock = (folder / _LOCK).open("w")
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()  # Only if it is empty.
        raise StorageError(f"{folder}: cannot be written: {error.strerror}") from error
    with lock:
        if not _locked(lock):
            raise StorageError(f"{folder}: another run is using it; wait for its end, or ask for a fresh one")
        yield


def in_use(folder: Path) -> bool:
    """Whether a process of this machine holds the folder."""
    try:
        with (folder / _LOCK).open() as lock:
            return not _locked(lock)
    except FileNotFoundError:
        return False


def discard_if_empty(folder: Path) -> None:
    """Remove the folder of a run that never began."""
    if {path.name for path in folder.iterdir()} <= {_LOCK}:
        shutil.rmtree(folder)


def find_runs(runs: Path) -> Iterator[tuple[Path, Run]]:
    """Every run below a folder, in order of path."""
    for path in sorted(runs.rglob(RECORD)):
        yield path.parent, Run.load(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, also after a power cut.

    Raises:
        StorageError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def append_line(path: Path, values: Mapping[str, object]) -> None:
    """Add one JSON line to a file, also where a process that was killed left the last without an end.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        with path.open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            torn = file.read(1) not in (b"", b"\n")
            file.write((b"\n" if torn else b"") + json.dumps(values).encode() + b"\n")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file that `append_line` wrote, without those that are torn; none where there is no file."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _locked(lock: typing.IO[str]) -> bool:
    """Lock an open file; False where another process has it. A file system without locks has none that could."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return True


def _code(jobs: Path) -> Iterator[Path]:
    return (path for path in jobs.rglob("*") if path.suffix in (".py", ".txt"))


def _revision(source: str) -> str:
    if PINNED.fullmatch(source):
        return source
    folder = Path(source)
    if folder.is_dir():
        return f"sha256:{digest_files(folder, (path for path in folder.rglob('*') if path.is_file()))}"
    return f"made by the job: {source}"
