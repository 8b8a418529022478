"""Who takes part in a class: how many or who, which teams they make, and who teaches."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.tags import LABEL, LABEL_RULE

COLUMN = "student"
"""Of a roster's CSV file: who takes part, as a label; other columns do not matter."""
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
Roster = int | tuple[str, ...] | Path | None
"""How many students, who they are, the CSV file that says so, or nobody has said."""


def read_roster(document: Document, key: str) -> Roster:
    """Who takes part; what is wrong goes to the document's problems, and a CSV file is not yet read."""
    given = document.at(key)
    if given is None:
        return None
    if isinstance(given, str) and given:
        return document.path.parent / given
    if isinstance(given, list):
        students = tuple(map(str, given))
        for problem in _wrong_students(students):
            document.complain(key, problem)
        return students
    return document.integer_at(key)


def students_of(roster: Roster, *, path: str, key: str = "roster") -> tuple[str, ...]:
    """Each student's label; a number gives `student-01` and so on, with as many digits as the last has, two at least.

    Raises:
        InputError: nobody has said, or the roster's file cannot be read, names no label or somebody twice.
    """
    if roster is None:
        message = f"missing; allowed: a number, a list of labels, or a CSV file with the column `{COLUMN}`"
        raise InputError(Problem(path=path, key=key, message=message))
    if isinstance(roster, int):
        digits = max(2, len(str(roster)))
        return tuple(f"student-{number:0{digits}}" for number in range(1, roster + 1))
    return roster if isinstance(roster, tuple) else _read_file(roster)


def read_teams(document: Document, key: str) -> Mapping[str, tuple[str, ...]]:
    """Who is in which team; what is wrong goes to the document's problems."""
    found = {}
    for team, given in document.mapping_at(key).items():
        here = f"{key}.{team}"
        if not LABEL.fullmatch(str(team)):
            document.complain(here, f"{str(team)!r} is not a label; {LABEL_RULE}")
        if not isinstance(given, list) or not given:
            document.complain(here, f"{given!r}; allowed: a list of students")
            continue
        found[str(team)] = tuple(map(str, given))
    for student, times in Counter(student for team in found.values() for student in team).items():
        if times > 1:
            document.complain(key, f"{student!r} stands twice; allowed: each once")
    return MappingProxyType(found)


def strangers(teams: Mapping[str, tuple[str, ...]], students: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with teams that have somebody who is not in the roster, as team and message."""
    known = frozenset(students)
    for team, members in teams.items():
        for each in members:
            if each not in known:
                yield team, f"{each!r} is not in the roster"


def read_emails(document: Document, key: str) -> tuple[str, ...]:
    """Addresses; what is wrong goes to the document's problems."""
    given = document.at(key) or []
    if not isinstance(given, list):
        given = [given]
    found = tuple(map(str, given))
    for each, times in Counter(found).items():
        if not EMAIL.fullmatch(each):
            document.complain(key, f"{each!r} is no address; allowed: such as ana@example.org")
        elif times > 1:
            document.complain(key, f"{each!r} stands twice; allowed: each once")
    return found


def _read_file(path: Path) -> tuple[str, ...]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if COLUMN not in (reader.fieldnames or ()):
                raise InputError(Problem(path=str(path), message=f"lacks the column `{COLUMN}`"))
            students = tuple(line[COLUMN] or "" for line in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error
    wrong = list(_wrong_students(students)) if students else ["has no student; allowed: one a line"]
    problems = [Problem(path=str(path), key=COLUMN, message=each) for each in wrong]
    if problems:
        raise InputError(problems)
    return students


def _wrong_students(students: tuple[str, ...]) -> Iterator[str]:
    for student, times in Counter(students).items():
        if not LABEL.fullmatch(student):
            yield f"{student!r} is not a label; {LABEL_RULE}"
        elif times > 1:
            yield f"{student!r} stands twice; allowed: each once"
