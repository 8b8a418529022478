from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from clusterlab.bill.reconciliation import Line, Reconciliation, Row
from clusterlab.bill.unit import Unit
from clusterlab.cost.total import Total
from clusterlab.errors import InputError, StorageError
from clusterlab.report.facts import Facts
from clusterlab.report.matrix import KEYS
from clusterlab.report.page import page
from clusterlab.report.pseudonyms import LETTERS, Pseudonyms, anonymous, load_key
from clusterlab.report.summary import Summary
from clusterlab.report.table import render
from tests.clusterlab.report.courses import NOON, course, outcome, use

ROSTER = ["zebulon", "quiggle", "wyszynski", "brixby", "thaddeus", "oxmoor"]
KEY = bytes(range(32))
NAMES = Pseudonyms(key=KEY, course="llm-2026")


def everywhere() -> Facts:
    """A course with a student's name in each place that can bear one."""
    facts = course(ROSTER, ["qlora", "zero"])
    named = use(
        1, resource_id="sky-zebulon-1", team="zebulon-and-quiggle", run="zebulon-r1", end=None, student="zebulon"
    )
    row = Row(
        unit=Unit(student="oxmoor", lab="qlora"),
        estimated_usd=Decimal(2),
        metered=Total(),
        direct_usd=Decimal(1),
        shared_usd=Decimal(0),
    )
    line = Line(reason="no tag of a student", service="AmazonEC2", category="Usage", usd=Decimal(3), num_rows=1)
    return replace(
        facts,
        intervals=(*facts.intervals, named),
        outcomes=(*facts.outcomes, outcome("brixby", "qlora", 4, note="/home/brixby/x: no space", run="brixby-9")),
        bill=Reconciliation(periods=((NOON, NOON),), rows=(row,), unallocated=(line,)),
        problems=("runs/qlora/thaddeus-1/run.json: not a run record",),
    )


def texts(facts: Facts) -> dict[str, str]:
    """All that can be shown of it."""
    summary, console = Summary.of(facts), Console(width=250)
    with console.capture() as capture:
        for part in render(summary, KEYS):
            console.print(part)
    return {"page": page(summary), "json": json.dumps(summary.as_json(KEYS)), "terminal": capture.get()}


def test_no_name_of_the_roster_is_anywhere() -> None:
    for where, text in texts(everywhere()).items():
        assert any(name in text for name in ROSTER), where
    for where, text in texts(anonymous(everywhere(), NAMES)).items():
        assert [name for name in ROSTER if name in text.lower()] == [], where


def test_amounts_and_outliers_stay() -> None:
    named, hidden = (Summary.of(facts) for facts in (everywhere(), anonymous(everywhere(), NAMES)))
    assert hidden.total.metered == named.total.metered
    assert [each.outlier for each in hidden.outliers] == [each.outlier for each in named.outliers]
    assert [each.state for each in hidden.open] == [each.state for each in named.open]


def test_rows_are_in_the_order_of_the_pseudonyms() -> None:
    students = [each.student for each in Summary.of(anonymous(everywhere(), NAMES)).by(("student",)) if each.student]
    assert students == sorted(students)
    assert students != [NAMES.student(name) for name in sorted(ROSTER)]


def test_a_pseudonym_is_the_same_by_course_and_key_only() -> None:
    assert NAMES.student("ana") == Pseudonyms(key=KEY, course="llm-2026").student("ana")
    others = [Pseudonyms(key=KEY, course="rl-2026"), Pseudonyms(key=bytes(32), course="llm-2026")]
    assert len({each.student("ana") for each in (NAMES, *others)}) == 3
    assert NAMES.student(None) is None


def test_what_has_one_name_in_two_kinds_has_two_pseudonyms() -> None:
    codes = {each("ana").split("-")[1] for each in (NAMES.student, NAMES.team, NAMES.run, NAMES.resource)}
    assert len(codes) == 4


def test_no_digest_of_a_name_without_the_key_is_its_pseudonym() -> None:
    code = NAMES.student("ana").removeprefix("student-")
    assert len(code) == LETTERS
    for text in ("ana", "llm-2026\0student\0ana", "student-ana"):
        assert code not in hashlib.sha256(text.encode()).hexdigest()


def test_a_thousand_students_have_a_thousand_pseudonyms() -> None:
    assert len({NAMES.student(f"s{number}") for number in range(1000)}) == 1000


def test_a_name_that_is_no_text_of_utf_8_has_one_too() -> None:
    assert NAMES.student("\ud800") != NAMES.student("\ud801")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms.key"
    key = load_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key


@pytest.mark.parametrize("text", ["", "secret", "00" * 31, "zz" * 32, "\xff"])
def test_what_is_no_key_is_refused_and_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pseudonyms.key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"pseudonyms\.key: no key; allowed: 32 bytes"):
        load_key(path)
    assert path.read_text(encoding="latin-1") == text


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms.key"
    load_key(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match=r"others may read it.*chmod 600"):
        load_key(path)


def test_a_key_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be made"):
        load_key(tmp_path / "none" / "pseudonyms.key")
