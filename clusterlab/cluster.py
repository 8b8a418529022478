"""A class, from `clusters/<course>.yaml`: where its machines may be, who takes part, which labs, and what it may cost.

A lab belongs to the class that its label `course` names. Where that has no file, nobody has said where its machines may
be, and they may be wherever the catalog has a price.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.config import Scale
from clusterlab.cost.money import checked_usd
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.infra import Infra, within
from clusterlab.tags import LABEL, LABEL_RULE

FOLDER = Path("clusters")
COLUMN = "student"
"""Of a roster's CSV file: who takes part, as a label; other columns do not matter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A lab that every student does."""

    lab: str
    scale: Scale | None
    """None for that of the lab's file."""
    runs: int
    """How often a student launches it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What may be spent; None where nobody has said."""

    course_usd: Decimal | None
    student_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One class."""

    path: Path
    course: str
    infra: tuple[Infra, ...]
    """Where its machines may be, and nowhere else."""
    roster: int | tuple[str, ...] | Path | None
    """How many students, who they are, or the CSV file that says so."""
    labs: tuple[Assignment, ...]
    budget: Budget

    @classmethod
    def load(cls, path: Path) -> Cluster:
        """Read a class.

        Raises:
            InputError: every fault of the file.
        """
        document = Document.load(path, [])
        document.refuse_unknown("", {"course", "infra", "roster", "labs", "budget_usd"})
        cluster = cls(
            path=path,
            course=_course(document),
            infra=read_infra(document, "infra"),
            roster=_roster(document),
            labs=tuple(_labs(document)),
            budget=_budget(document),
        )
        if document.problems:
            raise InputError(document.problems)
        return cluster

    def offered(self, catalog: Catalog) -> Catalog:
        """What of the catalog the class may use.

        Raises:
            InputError: the catalog has nothing at one of its places.
        """
        return within(catalog, self.infra, path=str(self.path), key="infra")

    def num_students(self) -> int:
        """How many take part.

        Raises:
            InputError: nobody has said, or the roster's file cannot be read.
        """
        if self.roster is None:
            message = f"missing; allowed: a number, a list of labels, or a CSV file with the column `{COLUMN}`"
            raise InputError(Problem(path=str(self.path), key="roster", message=message))
        if isinstance(self.roster, int):
            return self.roster
        return len(self.roster if isinstance(self.roster, tuple) else _read_roster(self.roster))


def offered(catalog: Catalog, course: str | None, root: Path) -> Catalog:
    """What of the catalog a course may use, by its class's file in the repository at `root`; all where there is none.

    Raises:
        InputError: that file has a fault.
    """
    if course is None or not LABEL.fullmatch(course):
        return catalog
    path = root / FOLDER / f"{course}.yaml"
    return Cluster.load(path).offered(catalog) if path.is_file() else catalog


def _course(document: Document) -> str:
    course = document.text_at("course")
    if course and course != document.path.stem:
        document.complain("course", f"{course!r}; allowed: {document.path.stem}, as the file is named")
    return course


def read_infra(document: Document, key: str) -> tuple[Infra, ...]:
    """A list of places; what is wrong goes to the document's problems."""
    given = document.at(key)
    if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
        document.complain(key, "missing; allowed: a list of clouds or their regions, such as [aws/us-east-1]")
        return ()
    found = []
    for each in given:
        try:
            found.append(Infra.parse(each, path=str(document.path), key=key))
        except InputError as error:
            document.problems.extend(error.problems)
    return tuple(found)


def _roster(document: Document) -> int | tuple[str, ...] | Path | None:
    given = document.at("roster")
    if given is None:
        return None
    if isinstance(given, str) and given:
        return document.path.parent / given
    if isinstance(given, list):
        students = tuple(map(str, given))
        for problem in _wrong_students(students):
            document.complain("roster", problem)
        return students
    return document.integer_at("roster")


def _read_roster(path: Path) -> tuple[str, ...]:
    """The students of a CSV file.

    Raises:
        InputError: it cannot be read, or somebody's name is no label or stands twice.
    """
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
    for student in dict.fromkeys(students):
        if not LABEL.fullmatch(student):
            yield f"{student!r} is not a label; {LABEL_RULE}"
        elif students.count(student) > 1:
            yield f"{student!r} stands twice; allowed: each once"


def _labs(document: Document) -> Iterator[Assignment]:
    for lab, given in document.mapping_at("labs").items():
        key = f"labs.{lab}"
        if given is not None:
            document.refuse_unknown(key, {"scale", "runs"})
        scale = document.at(f"{key}.scale")
        if scale is not None and scale not in set(Scale):
            document.complain(f"{key}.scale", f"{scale!r}; allowed: {', '.join(Scale)}")
            scale = None
        runs = document.integer_at(f"{key}.runs", default=1)
        yield Assignment(lab=str(lab), scale=scale and Scale(scale), runs=runs)


def _budget(document: Document) -> Budget:
    document.refuse_unknown("budget_usd", {"course", "student"})
    return Budget(course_usd=_usd(document, "budget_usd.course"), student_usd=_usd(document, "budget_usd.student"))


def _usd(document: Document, key: str) -> Decimal | None:
    if document.at(key) is None:
        return None
    try:
        return checked_usd(document.decimal_at(key), path=str(document.path), key=key)
    except InputError as error:
        document.problems.extend(error.problems)
        return None
