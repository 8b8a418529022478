from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.document import Document
from clusterlab.errors import InputError
from clusterlab.roster import read_emails, read_teams, students_of


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "class.yaml"
    path.write_text(text)
    return Document.load(path, [])


@pytest.mark.parametrize(("number", "last"), [(3, "student-03"), (120, "student-120")])
def test_a_number_gives_labels_that_sort(number: int, last: str) -> None:
    students = students_of(number, path="class")
    assert (len(students), students[-1]) == (number, last)
    assert sorted(students) == list(students)


ROSTERS = {
    "missing": (None, "students.csv: cannot be read: "),
    "column": ("name\nana\n", "students.csv: lacks the column `student`"),
    "twice": ("student\nana\nana\n", "students.csv: student: 'ana' stands twice"),
    "no label": ("student\nAna D\n", "students.csv: student: 'Ana D' is not a label"),
    "empty": ("student\n", "students.csv: student: has no student; allowed: one a line"),
}


@pytest.mark.parametrize(("text", "message"), ROSTERS.values(), ids=ROSTERS.keys())
def test_a_broken_roster_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "students.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        students_of(path, path="class")
    assert message in str(error.value)


def test_teams_are_lists_of_students(tmp_path: Path) -> None:
    given = document(tmp_path, "teams: {red: [ana, ben], blue: [eva]}")
    assert dict(read_teams(given, "teams")) == {"red": ("ana", "ben"), "blue": ("eva",)}
    assert given.problems == []


TEAMS = {
    "label": ("{Red: [ana]}", "teams.Red: 'Red' is not a label"),
    "empty": ("{red: []}", "teams.red: []; allowed: a list of students"),
    "twice": ("{red: [ana], blue: [ana]}", "teams: 'ana' stands twice; allowed: each once"),
}


@pytest.mark.parametrize(("text", "message"), TEAMS.values(), ids=TEAMS.keys())
def test_a_fault_of_a_team_is_named(tmp_path: Path, text: str, message: str) -> None:
    given = document(tmp_path, f"teams: {text}")
    read_teams(given, "teams")
    [problem] = given.problems
    assert message in str(problem)


EMAILS = {
    "no address": ("[ana]", "'ana' is no address; allowed: such as ana@example.org"),
    "no domain": ("[ana@example]", "'ana@example' is no address"),
    "two": ("['a@b.org c@d.org']", "'a@b.org c@d.org' is no address"),
    "twice": ("[ana@example.org, ana@example.org]", "'ana@example.org' stands twice; allowed: each once"),
}


@pytest.mark.parametrize(("text", "message"), EMAILS.values(), ids=EMAILS.keys())
def test_a_fault_of_an_address_is_named(tmp_path: Path, text: str, message: str) -> None:
    given = document(tmp_path, f"instructors: {text}")
    read_emails(given, "instructors")
    [problem] = given.problems
    assert message in str(problem)


def test_one_address_needs_no_list(tmp_path: Path) -> None:
    given = document(tmp_path, "instructors: ana@uni.example.org")
    assert read_emails(given, "instructors") == ("ana@uni.example.org",)
