"""Who takes part in a class: how many or who, which teams they make, and who teaches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.roster_file import COLUMN, read_file
from clusterlab.tags import LABEL, LABEL_RULE

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
    return roster if isinstance(roster, tuple) else read_file(roster)


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


def _wrong_students(students: tuple[str, ...]) -> Iterator[str]:
    for student, times in Counter(students).items():
        if not LABEL.fullmatch(student):
            yield f"{student!r} is not a label; {LABEL_RULE}"
        elif times > 1:
            yield f"{student!r} stands twice; allowed: each once"
