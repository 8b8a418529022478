"""What in a row of the gradebook somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clusterlab.config import Scale
from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.copies import Copy
from clusterlab.run import Status


class Kind(StrEnum):
    """Of a flag."""

    COPIED = "copied"
    """One execution, in the hands of two; nobody knows whose it is."""
    LOOK = "look"
    """Shares with another's run what two executions hardly do."""
    TAGS = "tags"
    """A run in the student's folder says that it is another's; it counts for nobody."""
    RECORD = "record"
    """A record contradicts itself; it does not count."""
    SCALE = "scale"
    """There are only runs at another scale than the class's; they do not count."""
    UNFINISHED = "unfinished"
    """There are only runs that did not succeed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """One thing to look at."""

    kind: Kind
    whom: str | None = None
    """The other student."""
    why: str = ""

    @property
    def short(self) -> str:
        """As the gradebook has it, such as `copied:ben`."""
        return f"{self.kind}:{self.whom}" if self.whom is not None else str(self.kind)


def copied(copy: Copy, one: Found, other: Found, *, same_team: bool) -> Flag:
    """What a copy says of one of its two runs."""
    team = ", in the same team" if same_team else ""
    why = f"{one.run.run_id}: {', '.join(copy.traits)}{team}"
    return Flag(kind=Kind.COPIED if copy.sure else Kind.LOOK, whom=other.holder, why=why)


def of_runs(runs: Sequence[Found], scale: Scale, *, graded: bool) -> Iterator[Flag]:
    """What a student's own runs of a lab say."""
    found = [flag for run in runs for flag in _of_run(run)]
    if runs and not graded:
        succeeded = [run for run in runs if run.entry.succeeded]
        others = sorted({str(run.run.asked.config.get("scale")) for run in succeeded} - {str(scale)})
        if others:
            found.append(Flag(kind=Kind.SCALE, why=f"{', '.join(others)}; the class's is {scale}"))
        if not succeeded:
            statuses = [f"{sum(run.run.status is each for run in runs)} {each}" for each in _statuses(runs)]
            found.append(Flag(kind=Kind.UNFINISHED, why=", ".join(statuses)))
    yield from dict.fromkeys(found)


def _of_run(found: Found) -> Iterator[Flag]:
    if found.student != found.holder:
        yield Flag(kind=Kind.TAGS, whom=found.student, why=f"{found.run.run_id} says so")
    for fault in found.faults:
        yield Flag(kind=Kind.RECORD, why=f"{found.run.run_id}: {fault}")


def _statuses(runs: Sequence[Found]) -> list[Status]:
    return [status for status in Status if any(run.run.status is status for run in runs)]
