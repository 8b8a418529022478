"""The gradebook with pseudonyms in place of names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from clusterlab.course.grade.book import Book, Graded, Row
from clusterlab.report.pseudonyms import LEFT_OUT, Pseudonyms


def anonymous(book: Book, names: Pseudonyms) -> Book:
    """The rows by pseudonym; free text, paths and the values of envs are left out, since they may bear names."""
    rows = [_row(row, names) for row in book.rows]
    order = {lab: place for place, lab in enumerate(book.labs)}
    strangers = {names.student(name): count for name, count in book.strangers.items()}
    return replace(
        book,
        anonymous=True,
        rows=tuple(sorted(rows, key=lambda row: (row.student, order[row.lab]))),
        strangers=dict(sorted(strangers.items())),
        others=Counter({LEFT_OUT: sum(book.others.values())}) if book.others else {},
        problems=tuple(replace(each, path=LEFT_OUT, key="", message="cannot be read") for each in book.problems),
    )


def _row(row: Row, names: Pseudonyms) -> Row:
    flags = [replace(each, whom=names.student(each.whom), why="") for each in row.flags]
    return replace(
        row,
        student=names.student(row.student),
        team=names.team(row.team),
        graded=row.graded and _graded(row.graded, names),
        flags=tuple(dict.fromkeys(flags)),
    )


def _graded(graded: Graded, names: Pseudonyms) -> Graded:
    changed = graded.differences
    envs = tuple(replace(each, handed_out=LEFT_OUT, used=LEFT_OUT) for each in changed.envs)
    return replace(graded, run_id=names.run(graded.run_id), folder=LEFT_OUT, differences=replace(changed, envs=envs))
