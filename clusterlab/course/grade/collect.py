"""Collect runs from folders, such as a class's bucket, and from single records.

The class's bucket has them as `runs/<student>/<lab>/<run>/`. Whose folder a run lies in counts beside its tags: anybody
can write a tag, but only its owner into such a folder.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from clusterlab.course.grade.due import instant
from clusterlab.errors import InputError, Problem
from clusterlab.fingerprint import fingerprint
from clusterlab.report.results import Entry, read_records
from clusterlab.run import RECORD, Run

HOMES = ("runs", "clusterlab-runs")
"""Folders that have one for each student: in the class's bucket, and on a node of a shared cluster."""
SLACK = timedelta(minutes=1)
"""By which a machine's clock may have been set while a job ran."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A run, and in whose folder it lies."""

    entry: Entry
    owner: str | None
    """By the folder; None where it bears nobody's name."""
    faults: tuple[str, ...] = ()
    """Where the record contradicts itself, so that it was changed by hand."""

    @property
    def run(self) -> Run:
        """What was recorded."""
        return self.entry.run

    @property
    def lab(self) -> str:
        """What was run."""
        return self.run.asked.lab

    @property
    def student(self) -> str:
        """By the tags."""
        return self.run.tags.get("student", "unknown")

    @property
    def holder(self) -> str:
        """Who handed it in: the folder's owner, and by the tags where it has none."""
        return self.owner or self.student

    @property
    def submitted(self) -> datetime | None:
        """When it ended; None where it did not, or says no instant."""
        return instant(self.run.ended)


def collect(places: Sequence[Path], root: Path, students: Container[str]) -> tuple[list[Found], list[Problem]]:
    """The runs below some folders, and of single records; what cannot be read is a problem each.

    Raises:
        InputError: a place is neither.
    """
    wrong = [each for each in places if not each.is_dir() and not (each.is_file() and each.name == RECORD)]
    if wrong:
        message = f"no such folder or record; allowed: a folder of runs, or a {RECORD}"
        raise InputError([Problem(path=str(each), message=message) for each in wrong])
    problems: list[Problem] = []
    records: dict[Path, tuple[Path, tuple[str, ...]]] = {}
    for place in places:
        for path, above in _records(place, problems):
            records.setdefault(_key(path.parent), (path, above))
    entries, unreadable = read_records((path for path, _ in records.values()), root)
    found = [_found(each, records[_key(each.folder)][1], students) for each in entries]
    return found, problems + unreadable


def contradictions(run: Run) -> tuple[str, ...]:
    """Where a record says two things at once, as none does that a job wrote."""
    wrong = []
    if not _is_of(run):
        wrong.append("the fingerprint is not that of what was asked")
    if run.tags.get("lab", run.asked.lab) != run.asked.lab:
        wrong.append("the tags name another lab")
    started, ended = instant(run.started), instant(run.ended)
    if started is None or (run.ended is not None and ended is None):
        wrong.append("a time is no instant")
    elif ended is not None and not _fits(run.seconds, ended - started):
        wrong.append("it ended before it began, or took longer than from start to end")
    return tuple(wrong)


def _records(place: Path, problems: list[Problem]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each record with the names of the folders that its run's folder lies in, from the place on."""
    if place.is_file():
        yield place, place.resolve().parts[-4:-2]
        return

    def unreadable(error: OSError) -> None:
        problems.append(Problem(path=str(error.filename), message=f"cannot be read: {error.strerror}"))

    runs: set[Path] = set()
    for name, folders, files in os.walk(place, onerror=unreadable):
        folders.sort()
        folder = Path(name)
        if RECORD in files or RECORD in folders:
            runs.add(folder)
            yield folder / RECORD, (place.resolve().name, *folder.relative_to(place).parts)[:-1]
        elif runs.isdisjoint(folder.parents):
            links = [folder / each for each in folders if (folder / each).is_symlink()]
            message = "a link, which is not followed; allowed: folders themselves"
            problems += [Problem(path=str(each), message=message) for each in links]


def _found(entry: Entry, above: tuple[str, ...], students: Container[str]) -> Found:
    """The owner is the innermost folder that bears a student's name, and else whose it would be in the bucket."""
    lab = entry.run.asked.lab
    named = [each for each in above if each in students and each != lab]
    owner = named[-1] if named else None
    if owner is None and len(above) > 2 and above[-1] == lab and above[-3] in HOMES:
        owner = above[-2]
    return Found(entry=entry, owner=owner, faults=contradictions(entry.run))


def _key(folder: Path) -> Path:
    """One for each folder; a record that is a link to another's is a record of its own."""
    return folder.resolve()


def _is_of(run: Run) -> bool:
    try:
        return fingerprint(run.asked) == run.fingerprint
    except (TypeError, RecursionError):
        return False


def _fits(seconds: float | None, between: timedelta) -> bool:
    # Of a run with several attempts, `seconds` has the last one's.
    return between >= -SLACK and 0 <= (seconds or 0) <= (between + SLACK).total_seconds()
