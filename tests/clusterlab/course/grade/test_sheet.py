from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.course.grade.sheet import COLUMNS, long, safe, wide
from tests.clusterlab.course.grade.records import CLASS, NOON, graded, hand_in, record


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_line_has_all_that_the_gradebook_needs() -> None:
    late = NOON + timedelta(hours=11, minutes=30)
    run = record("ana", ended=late, config={"steps": 20, "rate": 0.1}, code="0" * 64, metrics={"loss": 2.0})
    hand_in(run)
    hand_in(replace(run, tags=run.tags | {"student": "eva"}))
    assert lines(long(graded()))[0] == {
        "student": "ana",
        "team": "red",
        "lab": "toy",
        "verdict": "FAIL",
        "score": "0.0000",
        "due": "2026-10-06",
        "submitted": "2026-10-07T01:30:00+02:00",
        "late_hours": "1.50",
        "as_handed_out": "no: envs, code",
        "changed_envs": "STEPS: 1 -> 20 | RATE: 0.5 -> 0.1",
        "run_id": run.run_id,
        "flags": "copied:eva",
    }


def test_several_copies_of_one_students_runs_are_one_flag_and_other_flags_follow() -> None:
    for name in ("one", "two"):
        run = record("ana", run_id=name)
        hand_in(run)
        hand_in(run, "eva")
    assert [line["flags"] for line in lines(long(graded()))] == ["copied:eva", "", "copied:ana | tags:ana"]


def test_what_is_missing_is_empty_and_never_0() -> None:
    found = lines(long(graded()))
    assert [line["student"] for line in found] == ["ana", "ben", "eva"]
    empty = set(COLUMNS) - {"student", "team", "lab", "due"}
    assert {line[name] for line in found for name in empty} == {""}


def test_a_run_in_time_has_no_late_hours() -> None:
    hand_in(record("ana"))
    assert lines(long(graded()))[0]["late_hours"] == ""


def test_a_lab_without_a_due_date_has_none() -> None:
    hand_in(record("ana"))
    line = lines(long(graded(text=CLASS.replace(", due: 2026-10-06", ""))))[0]
    assert (line["due"], line["late_hours"], line["verdict"]) == ("", "", "PASS")


def test_times_are_in_utc_where_the_class_has_no_zone() -> None:
    hand_in(record("ana"))
    text = CLASS.replace("time_zone: Europe/Madrid\n", "")
    assert lines(long(graded(text=text)))[0]["submitted"] == "2026-10-06T12:00:00+00:00"


def test_wide_has_a_column_for_each_lab() -> None:
    hand_in(record("ana"))
    hand_in(record("ben", metrics={"loss": 2.0}))
    assert wide(graded()).splitlines() == ["student,toy", "ana,1.0000", "ben,0.0000", "eva,"]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", "\u3000=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe(text).startswith("'")


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n@x"])
def test_what_no_cell_can_show_is_replaced_and_begins_no_formula(text: str) -> None:
    assert safe(text) == f"\ufffd{text[1:]}"


@pytest.mark.parametrize("text", ["", "ana", "0.5000", "a=b", "1-1", "no: envs"])
def test_other_cells_stay(text: str) -> None:
    assert safe(text) == text


@given(st.text(st.characters(), max_size=20))
def test_a_cell_of_anything_can_be_written_and_is_read_as_one(text: str) -> None:
    cell = safe(text)
    cell.encode()
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["a", cell, "b"])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == ["a", cell, "b"]


def test_what_a_student_wrote_into_a_record_is_no_formula() -> None:
    hand_in(record("ana", run_id="=cmd", config={"note": "=1"}))
    line = lines(long(graded()))[0]
    assert (line["run_id"], line["changed_envs"]) == ("'=cmd", "NOTE:  -> =1")


def test_letters_that_utf_8_lacks_are_replaced() -> None:
    hand_in(record("ana", config={"note": "\ud800\u001b[31m"}))
    assert lines(long(graded()))[0]["changed_envs"] == "NOTE:  -> \ufffd\ufffd[31m"
