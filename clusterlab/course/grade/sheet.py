"""The gradebook as CSV: a line for each student and lab, or for each student with a column for each lab."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from clusterlab.course.grade.book import Book, Row
from clusterlab.course.grade.due import late_hours
from clusterlab.report.words import printable

COLUMNS = (
    *("student", "team", "lab", "verdict", "score", "due", "submitted", "late_hours"),
    *("as_handed_out", "changed_envs", "run_id", "flags"),
)
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""With these a spreadsheet begins a formula, also after blanks."""
SEPARATOR = " | "
"""Between several things in one cell; no list separator of any spreadsheet."""


def long(book: Book) -> str:
    """A line for each student and lab; what is missing is empty, never 0."""
    return _csv(COLUMNS, ([getattr(_Cells(row, book), name) for name in COLUMNS] for row in book.rows))


def wide(book: Book) -> str:
    """A line for each student, with the score of each lab; what is missing is empty, never 0."""
    scores = {(row.student, row.lab): _Cells(row, book).score for row in book.rows}
    students = dict.fromkeys(row.student for row in book.rows)
    return _csv(("student", *book.labs), ([name, *(scores[name, lab] for lab in book.labs)] for name in students))


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, and that any file can carry."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown


class _Cells:
    """A row as texts, by column."""

    def __init__(self, row: Row, book: Book) -> None:
        graded = row.graded
        zone = ZoneInfo(book.time_zone) if book.time_zone else UTC
        self.student, self.team, self.lab = row.student, row.team or "", row.lab
        self.due = row.due_day.isoformat() if row.due_day else ""
        self.flags = SEPARATOR.join(dict.fromkeys(flag.short for flag in row.flags))
        self.verdict = graded.verdict if graded else ""
        self.score = f"{graded.score}" if graded and graded.score is not None else ""
        self.submitted = graded.submitted.astimezone(zone).isoformat(timespec="seconds") if graded else ""
        self.late_hours = f"{late_hours(graded.late)}" if graded and graded.late is not None else ""
        self.as_handed_out = graded.differences.as_handed_out if graded else ""
        self.changed_envs = SEPARATOR.join(map(str, graded.differences.envs)) if graded else ""
        self.run_id = graded.run_id if graded else ""


def _csv(header: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in line] for line in lines)
    return file.getvalue()
