"""The gradebook: one row for each student and lab of a class, and what belongs to no row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from clusterlab.cluster import Cluster
from clusterlab.config import Scale
from clusterlab.course.grade.choice import choose, score_of, submitted, valid
from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.copies import copies
from clusterlab.course.grade.due import end_of, lateness
from clusterlab.course.grade.flags import Flag, copied, of_runs
from clusterlab.course.grade.handed import Differences, differences
from clusterlab.course.grade.take import Take
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.report.results import Result
from clusterlab.run import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """The run that counts."""

    run_id: str
    folder: str
    verdict: str
    """`PASS` or `FAIL`; empty where nothing is expected."""
    score: Decimal | None
    """The share of expectations that it meets; None where nothing is expected."""
    results: tuple[Result, ...]
    """What was expected, each with its value."""
    submitted: datetime
    """When it ended, in UTC."""
    late: timedelta | None
    """None where it is in time."""
    differences: Differences


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A student's lab."""

    student: str
    team: str | None
    lab: str
    due_day: date | None
    due: datetime | None
    """The end of that day in the class's time zone."""
    graded: Graded | None
    """None where nothing can be graded."""
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """All rows, in the order of the roster and of the class's labs."""

    course: str
    at: datetime
    time_zone: str | None
    take: Take
    labs: tuple[str, ...]
    rows: tuple[Row, ...]
    strangers: Mapping[str, int]
    """Who is not in the roster and has so many runs of the class's."""
    others: Mapping[str, int]
    """Runs of other courses and labs, which do not count, by what they are of."""
    problems: tuple[Problem, ...] = ()
    """What could not be read."""
    anonymous: bool = False

    @property
    def due(self) -> list[Row]:
        """The rows of labs that were due before now."""
        return [row for row in self.rows if row.due is not None and row.due <= self.at]

    @property
    def exit_code(self) -> int:
        """0 where each lab that was due has a graded run of each student that does not fail."""
        if self.problems:
            return InputError.exit_code
        failing = any(row.graded is None or row.graded.verdict == "FAIL" for row in self.due)
        return ClusterlabError.exit_code if failing else 0


def grade(
    cluster: Cluster,
    found: Sequence[Found],
    handed: Mapping[str, Asked],
    *,
    take: Take,
    now: datetime,
    problems: Iterable[Problem] = (),
) -> Book:
    """Grade what was found; `handed` has each lab of the class as handed out, at the class's scale.

    Raises:
        InputError: nobody has said who takes part.
    """
    others = [_other(each, cluster) for each in found]
    ours = [each for each, other in zip(found, others, strict=True) if other is None]
    students = frozenset(cluster.students())
    return Book(
        course=cluster.course,
        at=now,
        time_zone=cluster.time_zone,
        take=take,
        labs=tuple(each.lab for each in cluster.labs),
        rows=tuple(_rows(cluster, ours, handed, take)),
        strangers=Counter(each.holder for each in ours if each.holder not in students),
        others=Counter(other for other in others if other is not None),
        problems=tuple(problems),
    )


def _rows(cluster: Cluster, ours: Sequence[Found], handed: Mapping[str, Asked], take: Take) -> Iterator[Row]:
    """Of each student in turn, a row for each lab."""
    runs: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for run in ours:
        runs[run.holder, run.lab].append(run)
    teams = {member: team for team, members in cluster.teams.items() for member in members}
    flags = _flags(ours, teams)
    for student in cluster.students():
        for each in cluster.labs:
            own, asked = runs[student, each.lab], handed[each.lab]
            scale = Scale(asked.config["scale"])
            due = None if each.due is None else end_of(each.due, cluster.time_zone)
            chosen = choose([one for one in own if valid(one, scale)], due, take)
            yield Row(
                student=student,
                team=teams.get(student),
                lab=each.lab,
                due_day=each.due,
                due=due,
                graded=None if chosen is None else _graded(chosen, due, asked),
                flags=(*flags[student, each.lab], *of_runs(own, scale, graded=chosen is not None)),
            )


def _graded(found: Found, due: datetime | None, handed: Asked) -> Graded:
    at = submitted(found)
    return Graded(
        run_id=found.run.run_id,
        folder=found.entry.folder.as_posix(),
        verdict=found.entry.verdict,
        score=score_of(found.entry),
        results=tuple(each for each in found.entry.results if each.verdict),
        submitted=at,
        late=lateness(at, due),
        differences=differences(found.run.asked, handed),
    )


def _flags(ours: Sequence[Found], teams: Mapping[str, str]) -> Mapping[tuple[str, str], list[Flag]]:
    """Those that come of other students' runs, by student and lab."""
    flags: dict[tuple[str, str], list[Flag]] = defaultdict(list)
    for each in copies(ours):
        for one, other in ((each.first, each.second), (each.second, each.first)):
            same_team = teams.get(one.holder, one.holder) == teams.get(other.holder)
            flag = copied(each, one, other, same_team=same_team)
            if flag not in flags[one.holder, one.lab]:
                flags[one.holder, one.lab].append(flag)
    return flags


def _other(found: Found, cluster: Cluster) -> str | None:
    """Of what a run is that is not of the class; None of the class's."""
    course = found.run.tags.get("course", "none")
    if course != cluster.course:
        return f"course {course}"
    return None if any(each.lab == found.lab for each in cluster.labs) else f"lab {found.lab}"
