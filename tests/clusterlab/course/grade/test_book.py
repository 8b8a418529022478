from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.config import Scale
from clusterlab.course.grade.book import Book, Row
from clusterlab.course.grade.flags import Flag, Kind
from clusterlab.errors import Problem
from clusterlab.run import Status
from tests.clusterlab.course.grade.records import CLASS, NOON, RUNS, graded, hand_in, record

DUE_END = NOON + timedelta(hours=10)
"""Midnight in Madrid, in summer."""


def rows(book: Book) -> dict[str, Row]:
    return {row.student: row for row in book.rows}


def shorts(book: Book) -> dict[str, list[str]]:
    return {row.student: [flag.short for flag in row.flags] for row in book.rows}


def test_each_student_has_a_row_for_each_lab_with_team_and_due_date() -> None:
    book = graded()
    assert [(row.student, row.team, row.lab, row.due, row.graded) for row in book.rows] == [
        ("ana", "red", "toy", DUE_END, None),
        ("ben", "red", "toy", DUE_END, None),
        ("eva", None, "toy", DUE_END, None),
    ]


def test_a_run_in_time_has_its_verdict_and_score_and_no_flag() -> None:
    hand_in(record("ana", metrics={"loss": 1.05}))
    row = rows(graded())["ana"]
    assert row.graded is not None
    assert (row.graded.verdict, row.graded.score, row.graded.late, row.flags) == ("PASS", Decimal(1), None, ())
    assert row.graded.differences.as_handed_out == "yes"


def test_a_late_run_is_marked_with_by_how_much() -> None:
    hand_in(record("ana", ended=DUE_END + timedelta(minutes=90)))
    row = rows(graded())["ana"]
    assert row.graded is not None
    assert row.graded.late == timedelta(minutes=90)


def test_clocks_that_went_back_give_an_hour_more() -> None:
    text = CLASS.replace("2026-10-06", "2026-10-25")
    hand_in(record("ana", ended=NOON.replace(day=25, hour=22, minute=59)))
    hand_in(record("ben", ended=NOON.replace(day=25, hour=23)))
    late = {name: row.graded and row.graded.late for name, row in rows(graded(text=text)).items()}
    assert late == {"ana": None, "ben": timedelta(), "eva": None}


def test_each_of_two_who_hold_one_execution_is_marked_with_the_other() -> None:
    run = record("ana")
    hand_in(run)
    hand_in(replace(run, tags=run.tags | {"student": "eva"}))
    book = graded()
    assert shorts(book) == {"ana": ["copied:eva"], "ben": [], "eva": ["copied:ana"]}
    assert all(rows(book)[name].graded is not None for name in ("ana", "eva"))


def test_what_two_executions_hardly_share_is_for_a_look() -> None:
    run = record("ana")
    hand_in(run)
    hand_in(record("eva", run_id="another", started=run.started))
    assert shorts(graded()) == {"ana": ["look:eva"], "ben": [], "eva": ["look:ana"]}


def test_a_copy_within_a_team_says_so() -> None:
    run = record("ana")
    hand_in(run)
    hand_in(replace(run, tags=run.tags | {"student": "ben"}))
    hand_in(replace(run, tags=run.tags | {"student": "eva"}))
    whys = {flag.whom: flag.why for flag in rows(graded())["ana"].flags}
    assert whys["ben"].endswith(", in the same team")
    assert "team" not in whys["eva"]


def test_a_folder_copied_as_it_is_counts_for_nobody_and_is_marked_with_whom_it_names() -> None:
    folder = hand_in(record("ana"))
    shutil.copytree(folder, RUNS / "ben" / "toy" / folder.name)
    book = graded()
    assert shorts(book) == {"ana": ["copied:ben"], "ben": ["copied:ana", "tags:ana"], "eva": []}
    assert {name: row.graded is not None for name, row in rows(book).items()} == {
        "ana": True,
        "ben": False,
        "eva": False,
    }


def test_a_record_that_contradicts_itself_does_not_count_and_is_marked() -> None:
    hand_in(record("ana", ended=NOON - timedelta(hours=1)))
    hand_in(replace(record("ana"), fingerprint="0" * 64))
    row = rows(graded())["ana"]
    assert row.graded is not None
    assert row.graded.submitted == NOON - timedelta(hours=1)
    assert [flag.kind for flag in row.flags] == [Kind.RECORD]


def test_runs_at_another_scale_alone_are_named() -> None:
    hand_in(record("ana", scale=Scale.SMALL))
    assert rows(graded())["ana"].flags == (Flag(kind=Kind.SCALE, why="small; the class's is tiny"),)


def test_runs_at_another_scale_beside_one_that_counts_are_not() -> None:
    hand_in(record("ana", scale=Scale.SMALL, ended=NOON + timedelta(hours=1)))
    hand_in(record("ana"))
    assert rows(graded())["ana"].flags == ()


def test_runs_that_did_not_succeed_are_counted_where_there_are_no_others() -> None:
    hand_in(record("ana", status=Status.FAILED))
    hand_in(record("ana", status=Status.STOPPED, run_id="x"))
    hand_in(record("ana", status=Status.FAILED, run_id="y"))
    assert rows(graded())["ana"].flags == (Flag(kind=Kind.UNFINISHED, why="2 failed, 1 stopped"),)


def test_who_is_not_in_the_roster_is_listed_with_the_number_of_runs() -> None:
    hand_in(record("zoe"))
    hand_in(record("zoe", run_id="x"))
    hand_in(replace(record("ana"), tags={"course": "llm-2026", "lab": "toy"}), "nobody")
    book = graded()
    assert book.strangers == {"nobody": 1, "zoe": 2}
    assert len(book.rows) == 3


def test_runs_of_other_courses_and_labs_are_counted_apart() -> None:
    asked = replace(record().asked, lab="other")
    other = replace(record("ana"), asked=asked, tags={"course": "llm-2026", "lab": "other", "student": "ana"})
    hand_in(other)
    hand_in(replace(record("ana"), tags={"course": "old", "lab": "toy", "student": "ana"}))
    hand_in(replace(record("ben"), tags={"student": "ben"}))
    book = graded()
    assert book.others == {"lab other": 1, "course old": 1, "course none": 1}
    assert all(row.graded is None for row in book.rows)


def test_all_that_is_due_and_passes_is_0() -> None:
    for student in ("ana", "ben", "eva"):
        hand_in(record(student, ended=DUE_END + timedelta(hours=1)))
    assert graded().exit_code == 0


def test_a_lab_of_which_one_has_no_run_is_1_once_it_was_due() -> None:
    hand_in(record("ana"))
    assert graded(now=DUE_END).exit_code == 1
    assert graded(now=DUE_END - timedelta(seconds=1)).exit_code == 0
    assert graded(text=CLASS.replace(", due: 2026-10-06", "")).exit_code == 0


@pytest.mark.parametrize(("loss", "code"), [(1.0, 0), (2.0, 1)])
def test_a_lab_that_one_fails_is_1(loss: float, code: int) -> None:
    for student in ("ana", "ben", "eva"):
        hand_in(record(student, metrics={"loss": loss if student == "ben" else 1.0}))
    assert graded().exit_code == code


def test_what_cannot_be_read_is_2_whatever_else() -> None:
    book = graded(now=DUE_END - timedelta(days=9))
    assert (book.exit_code, replace(book, problems=(Problem(path="x", message="y"),)).exit_code) == (0, 2)
