"""A roster's CSV file: the column `student` with labels, or what Moodle or Canvas exports, whose logins become labels.

Canvas' gradebook export has `SIS Login ID`, lines that are no student's (`    Points Possible`, hidden assignments) and
a test student as the last (github.com/instructure/canvas-lms, lib/gradebook_exporter.rb); with a semicolon or a
byte-order mark where its user's settings say so. Moodle's list of participants has `Email address`, in the language of
whoever exports it, and its bulk download `username` and `email` (github.com/moodle/moodle,
admin/user/user_bulk_download.php).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from clusterlab.errors import InputError, Problem
from clusterlab.tags import LABEL, LABEL_RULE

COLUMN = "student"
"""Of our own: who takes part, as a label; other columns do not matter."""
CANVAS = "SIS Login ID"
LOGINS = (CANVAS, "Username", "Nombre de usuario", "Email address", "Email", "Dirección de correo")
"""Of learning systems, the first that a file has; in any case, as Moodle writes them in both."""
DELIMITERS = (",", ";", "\t")
NO_STUDENTS = {"points possible": "", "student, test": "", "student": "test"}
"""Lines of Canvas, by the first column, and by the second where the name is in two."""
ALLOWED = f"allowed: the column `{COLUMN}`, or as Canvas or Moodle exports it, `{'`, `'.join(LOGINS)}`"


def read_file(path: Path) -> tuple[str, ...]:
    """Each student's label, in the file's order.

    Raises:
        InputError: it cannot be read, lacks such a column, or has nobody, somebody twice, or who cannot be a label.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        column, given = _column(list(_lines(text)), path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error
    labels = given if column == COLUMN else [label_of(each) for each in given]
    wrong = list(_wrong(given, labels)) if given else ["has no student; allowed: one a line"]
    if wrong:
        raise InputError([Problem(path=str(path), key=column, message=each) for each in wrong])
    return tuple(labels)


def label_of(login: str) -> str:
    """A login, or what is before the @ of an address, as a label; what is no label where there is none in it.

    Accents go, and whatever else a label cannot have is a dash: `María.Peña@uni.es` is `maria-pena`.
    """
    plain = unicodedata.normalize("NFKD", login.strip().partition("@")[0]).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", plain.lower()).strip("_-")


def _lines(text: str) -> Iterator[list[str]]:
    """As the first delimiter reads them that finds a column we know, else as commas do."""
    for delimiter in DELIMITERS:
        header = next(csv.reader(StringIO(text, newline=""), delimiter=delimiter), [])
        if _known(header) is not None:
            return csv.reader(StringIO(text, newline=""), strict=True, delimiter=delimiter)
    return csv.reader(StringIO(text, newline=""), strict=True)


def _known(header: list[str]) -> int | None:
    """Where the column is."""
    if COLUMN in header:
        return header.index(COLUMN)
    folded = [name.strip().casefold() for name in header]
    return next((folded.index(name.casefold()) for name in LOGINS if name.casefold() in folded), None)


def _column(lines: list[list[str]], path: Path) -> tuple[str, list[str]]:
    """The column's name, and what it has of each student."""
    index = _known(lines[0]) if lines else None
    if index is None:
        raise InputError(Problem(path=str(path), message=f"lacks the column `{COLUMN}`; {ALLOWED}"))
    column = lines[0][index].strip()
    people = [line for line in lines[1:] if any(cell.strip() for cell in line)]
    if column == CANVAS:
        people = [line for line in people if not _of_nobody(line)]
    return column, [line[index] if index < len(line) else "" for line in people]


def _of_nobody(line: list[str]) -> bool:
    first, second, *_ = *(cell.strip().casefold() for cell in line), "", ""
    # The line of hidden assignments has nothing but those.
    return NO_STUDENTS.get(first) in ("", second) or not (first or second)


def _wrong(given: list[str], labels: list[str]) -> Iterator[str]:
    """What is not a label, and whose label somebody before has."""
    seen: dict[str, str] = {}
    for text, label in zip(given, labels, strict=True):
        shown = repr(text) if text == label else f"{text!r}, as {label!r},"
        if not LABEL.fullmatch(label):
            yield f"{shown} is not a label; {LABEL_RULE}"
        elif label not in seen:
            seen[label] = text
        elif seen[label] == text:
            yield f"{text!r} stands twice; allowed: each once"
        else:
            yield f"{text!r} and {seen[label]!r} would both be {label!r}; allowed: each another, in a column `{COLUMN}`"
