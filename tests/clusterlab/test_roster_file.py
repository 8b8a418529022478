from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.errors import InputError
from clusterlab.roster_file import read_file
from clusterlab.tags import LABEL

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,qlora (12)
,,,,,Manual Posting
    Points Possible,,,,,100.00
"Peña, María",101,U1,María.Peña@uni.example.org,A,90.00
"Díaz, Ben",102,U2,bdiaz,A,N/A
"Student, Test",103,,0c52ed2b7cc1bf3c2a9b5a4d3f0e1d2c3b4a5968,A,
"""
CANVAS_NAMES = """\
LastName;FirstName;ID;SIS Login ID;Section
    Points Possible;;;;
Student;Ana;7;astudent;A
Díaz;Ben;102;bdiaz;A
Student;Test;103;0c52ed2b7cc1bf3c2a9b5a4d3f0e1d2c3b4a5968;A
"""
EXPORTS = {
    "ours": ("name,student\nAna,ana\n\nBen,ben\n", ("ana", "ben")),
    "ours, of more columns": ("Username;student\nx;ana\n", ("ana",)),
    "canvas": (CANVAS, ("maria-pena", "bdiaz")),
    "canvas, two names": (CANVAS_NAMES, ("astudent", "bdiaz")),
    "moodle's participants": ('"First name","Last name","Email address"\nAna,"D, E",Ana.D@x.org\n', ("ana-d",)),
    "in spanish": ("Nombre,Apellido(s),Dirección de correo,Grupos\nÁngel,L,948909@uni.es,A\n", ("948909",)),
    "moodle's users": ("id,username,email,firstname\n3,ana_d,other@x.org,Ana\n", ("ana_d",)),
    "a spreadsheet's tabs": ("Username\tEmail address\nana\ta@x.org\n", ("ana",)),
    "a test student elsewhere": ("Last name,First name,Username\nStudent,Ana,ana\n", ("ana",)),
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "students.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte-order mark"])
@pytest.mark.parametrize(("text", "students"), EXPORTS.values(), ids=EXPORTS.keys())
def test_what_a_learning_system_exports_is_a_roster(
    tmp_path: Path, text: str, students: tuple[str, ...], mark: str
) -> None:
    assert read_file(written(tmp_path, mark + text)) == students


FAULTS = {
    "collision": (
        "Email address\nana.d@x.org\nana-d@y.org\n",
        "Email address: 'ana-d@y.org' and 'ana.d@x.org' would both be 'ana-d'; allowed: each another, in a column",
    ),
    "twice": ("Username\nana\nana\n", "Username: 'ana' stands twice; allowed: each once"),
    "no label": ("Username\n王芳\n", "Username: '王芳', as '', is not a label; allowed: 1 to 63 of a-z"),
    "too long": (f"Username\n{'a' * 64}\n", "is not a label"),
    "no login": ("Student,ID,SIS Login ID\nAna,101,\n", "SIS Login ID: '' is not a label"),
    "nobody": ("Student,ID,SIS Login ID\n    Points Possible,,\n", "SIS Login ID: has no student; allowed: one a line"),
    "our own is as it is": ("student\nAna.D@x.org\n", "student: 'Ana.D@x.org' is not a label"),
    "a name is no login": ("Student;ID\nAna;101\n", "lacks the column `student`; allowed: the column `student`, or as"),
    "empty": ("", "lacks the column `student`"),
    "torn": ('Username\n"ana\n', "cannot be read: "),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_an_export_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_file(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_all_faults_of_a_file_are_told_in_one_reading(tmp_path: Path) -> None:
    path = written(tmp_path, "Username\nana\n王芳\nana\nAna\n")
    with pytest.raises(InputError) as error:
        read_file(path)
    assert len(error.value.problems) == 3


@given(st.lists(st.text(min_size=1, max_size=70), min_size=1, max_size=6))
def test_whatever_the_logins_are_there_is_a_label_for_each_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, logins: list[str]
) -> None:
    path = tmp_path_factory.mktemp("roster") / "students.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([["name", "Username"], *(["x", login] for login in logins)])
    try:
        students = read_file(path)
    except InputError:
        return
    assert len(set(students)) == len(logins)
    assert all(map(LABEL.fullmatch, students))
