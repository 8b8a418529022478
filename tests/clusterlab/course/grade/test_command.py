from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.course.grade.table import render
from clusterlab.run import RECORD
from tests.clusterlab.conftest import spoil
from tests.clusterlab.course.grade.records import CLASS, RUNS, graded, hand_in, record

FILE = Path("clusters/llm-2026.yaml")
LONG_AGO = CLASS.replace("2026-10-06", "2020-10-06")
STUDENTS = ("ana", "ben", "eva")


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["class", "grade", *arguments], env={"COLUMNS": "100"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def all_in() -> None:
    """Everybody's run of a lab that was due long ago, late."""
    FILE.write_text(LONG_AGO)
    for student in STUDENTS:
        hand_in(record(student))


@pytest.mark.usefixtures("all_in")
def test_a_class_that_has_all_is_0_and_shown() -> None:
    code, out = invoke(str(FILE))
    assert code == 0
    assert out.count("PASS") == 3
    assert "due so far: 3, of them missing: 0, failing: 0" in out


def test_a_lab_that_was_due_and_is_missing_is_1() -> None:
    FILE.write_text(LONG_AGO)
    hand_in(record("ana"))
    code, out = invoke(str(FILE))
    assert (code, out.count("missing ")) == (1, 2)


def test_what_failed_was_changed_or_looks_odd_is_said_below() -> None:
    run = record("ana", metrics={"loss": 2.0}, config={"steps": 20})
    hand_in(run)
    hand_in(replace(run, tags=run.tags | {"student": "eva"}))
    hand_in(record("zoe"))
    out = invoke(str(FILE))[1]
    assert "ana, toy: FAIL loss 2, expected 0.9 to 1.1" in out
    assert "ana, toy: STEPS: 1 -> 20" in out
    assert f"ana, toy: copied:eva, {run.run_id}: the same run, the same start, the same duration" in out
    assert "not in the roster: zoe (1 run)" in out


@pytest.mark.usefixtures("all_in")
def test_a_record_that_cannot_be_read_is_named_and_2_and_the_rest_is_written() -> None:
    folder = hand_in(record("ana", run_id="torn"))
    (folder / RECORD).write_text("{")
    code, out = invoke(str(FILE), "--csv", "book.csv")
    assert (code, f"{folder / RECORD}: not a run record" in out) == (2, True)
    assert len(Path("book.csv").read_text().splitlines()) == 4


@pytest.mark.usefixtures("all_in")
def test_the_gradebook_is_written_long_or_wide() -> None:
    assert invoke(str(FILE), "--csv", "book.csv")[0] == 0
    with Path("book.csv").open(newline="", encoding="utf-8") as file:
        assert [line["student"] for line in csv.DictReader(file)] == list(STUDENTS)
    assert invoke(str(FILE), "--csv", "book.csv", "--wide")[0] == 0
    assert Path("book.csv").read_bytes() == b"student,toy\r\nana,1.0000\r\nben,1.0000\r\neva,1.0000\r\n"
    assert not list(Path().glob(".book.csv*"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert invoke(str(FILE), "--csv", "file/book.csv")[0] == 5
    assert invoke(str(FILE), "--csv", "none/book.csv")[0] == 5


@pytest.mark.usefixtures("all_in")
def test_json_has_all_and_nothing_else_on_stdout() -> None:
    code, out = invoke(str(FILE), "--json", "--take", "best")
    document = json.loads(out)
    assert (code, document["take"], [row["student"] for row in document["rows"]]) == (0, "best", list(STUDENTS))
    graded = document["rows"][0]["graded"]
    assert (graded["score"], graded["as_handed_out"], graded["results"][0]["verdict"]) == ("1.0000", True, "PASS")
    assert float(graded["late_hours"]) > 24


def test_json_has_both_values_of_what_was_changed() -> None:
    hand_in(record("ana", config={"steps": 20}))
    graded = json.loads(invoke(str(FILE), "--json")[1])["rows"][0]["graded"]
    assert graded["as_handed_out"] is False
    assert graded["changed_envs"] == {"STEPS": {"handed_out": "1", "used": "20"}}


def test_runs_of_several_places_are_graded_together() -> None:
    hand_in(record("ana"), runs=Path("one"))
    folder = hand_in(record("ben"), runs=Path("two"))
    out = invoke(str(FILE), "--runs", "one", "--runs", str(folder / RECORD), "--json")[1]
    rows = json.loads(out)["rows"]
    assert [row["graded"] is not None for row in rows] == [True, True, False]


def test_pseudonyms_have_a_key_that_is_kept() -> None:
    hand_in(record("ana"))
    first, second = (json.loads(invoke(str(FILE), "--anonymous", "--key", "k", "--json")[1]) for _ in range(2))
    assert first["rows"] == second["rows"]
    assert first["rows"][0]["student"].startswith("student-")
    assert Path("k").exists()


REFUSED = {
    "wide without a file": ((str(FILE), "--wide"), "--wide: only with --csv"),
    "a key for nothing": ((str(FILE), "--key", "k"), "--key: only with --anonymous"),
    "no such runs": ((str(FILE), "--runs", "none"), "none: no such folder or record"),
    "no such class": (("clusters/none.yaml",), "clusters/none.yaml: cannot be read"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(arguments: tuple[str, ...], message: str) -> None:
    code, out = invoke(*arguments)
    assert (code, message in out) == (2, True)


CLASSES = {
    "no labs": ("labs:\n  toy: {scale: tiny, due: 2026-10-06}\n", "", "labs: missing"),
    "no roster": ("roster: [ana, ben, eva]\nteams: {red: [ana, ben]}\n", "", "roster: missing"),
    "a lab that is not there": ("  toy: {", "  joy: {", "labs/joy.yaml: no such lab"),
}


@pytest.mark.parametrize(("old", "new", "message"), CLASSES.values(), ids=CLASSES.keys())
def test_a_class_that_cannot_be_graded_is_refused(old: str, new: str, message: str) -> None:
    spoil(FILE, old, new)
    code, out = invoke(str(FILE))
    assert (code, message in out) == (2, True)


def test_the_labs_own_scale_is_taken_where_the_class_says_none() -> None:
    spoil(FILE, "scale: tiny, ", "")
    spoil(Path("labs/toy.yaml"), "SCALE: single", "SCALE: tiny")
    hand_in(record("ana"))
    assert "PASS" in invoke(str(FILE))[1]


def test_runs_of_the_repository_are_taken_where_none_are_named() -> None:
    RUNS.rmdir()
    assert "runs: no such folder" in invoke(str(FILE))[1]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    run = record("ana", config={"steps": 20}, code="0" * 64)
    hand_in(run)
    hand_in(run, "a-student-with-a-long-name-of-many-letters")
    console = Console(width=width)
    with console.capture() as capture:
        console.print(next(render(graded())))
    lines = capture.get().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "envs, code" in " ".join(capture.get().split())
