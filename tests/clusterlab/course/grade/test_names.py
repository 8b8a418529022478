from __future__ import annotations

import json
from dataclasses import replace

from rich.console import Console

from clusterlab.course.grade.book import Book
from clusterlab.course.grade.document import document
from clusterlab.course.grade.names import anonymous
from clusterlab.course.grade.sheet import long, wide
from clusterlab.course.grade.table import render
from clusterlab.errors import Problem
from clusterlab.report.pseudonyms import Pseudonyms
from tests.clusterlab.course.grade.records import CLASS, graded, hand_in, record

ROSTER = ["zebulon", "quiggle", "wyszynski"]
NAMES = Pseudonyms(key=bytes(range(32)), course="llm-2026")


def everywhere() -> Book:
    """A book with a student's name in each place that can bear one."""
    run = record("zebulon", run_id="zebulon-1", config={"note": "by zebulon"})
    hand_in(run)
    hand_in(replace(run, tags=run.tags | {"student": "quiggle"}))
    hand_in(record("zebulon", run_id="zebulon-2"), "wyszynski")
    hand_in(record("brixby"))
    hand_in(replace(record("wyszynski"), tags={"course": "of-wyszynski", "lab": "toy", "student": "wyszynski"}))
    text = CLASS.replace("[ana, ben, eva]", f"[{', '.join(ROSTER)}]").replace("red: [ana, ben]", "zebulon: [zebulon]")
    return replace(graded(text=text), problems=(Problem(path="runs/quiggle/run.json", message="quiggle's"),))


def texts(book: Book) -> dict[str, str]:
    console = Console(width=250)
    with console.capture() as capture:
        for part in render(book):
            console.print(part)
    sheets = {"long": long(book), "wide": wide(book)}
    return sheets | {"json": json.dumps(document(book)), "terminal": capture.get()}


def test_no_name_is_anywhere() -> None:
    book = everywhere()
    for where, text in texts(book).items():
        assert "zebulon" in text, where
    for where, text in texts(anonymous(book, NAMES)).items():
        assert [name for name in (*ROSTER, "brixby") if name in text] == [], where


def test_grades_and_flags_stay_and_rows_are_in_the_order_of_the_pseudonyms() -> None:
    book = everywhere()
    hidden = anonymous(book, NAMES)
    by_name = {NAMES.student(row.student): row for row in book.rows}
    assert [row.student for row in hidden.rows] == sorted(by_name)
    for row in hidden.rows:
        named = by_name[row.student]
        assert (row.graded and row.graded.score) == (named.graded and named.graded.score)
        assert [(flag.kind, flag.whom) for flag in row.flags] == [
            (flag.kind, NAMES.student(flag.whom)) for flag in named.flags
        ]
    assert hidden.exit_code == book.exit_code
    assert sum(hidden.others.values()) == sum(book.others.values()) == 1
