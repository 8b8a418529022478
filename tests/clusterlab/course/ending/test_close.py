from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.course.ending.final import Closed, Order, close_course
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.reservation import Reservation
from clusterlab.reaper.proof import FORMAT
from tests.clusterlab.bill.exports import Charge, aws_focus, charge
from tests.clusterlab.conftest import ROOT

COURSE = "llm-2026"
START = datetime(2026, 10, 5, 10, tzinfo=UTC)
FINAL = datetime(2026, 11, 11, tzinfo=UTC)
BILL = [
    charge("1.05", "ana", "qlora"),
    charge("2.004", "ben", "qlora", resource="i-0bbb"),
    charge("0.333", resource=None, category="Tax"),
]


def use(student: str | None, usd: str, **changes: Any) -> Interval:
    """An hour of a machine."""
    usual: dict[str, Any] = {
        "resource_id": f"i-{student}",
        "kind": Kind.COMPUTE,
        "student": student,
        "team": None,
        "course": COURSE,
        "lab": "qlora" if student else "infra",
        "run": student and f"run-{student}",
        "start": START,
        "end": START + timedelta(hours=1),
        "shape": "g4dn.xlarge",
        "region": "us-east-1",
        "price_usd_per_hour": Decimal(usd),
        "price_as_of": None,
        "source": Source.EC2,
    }
    return Interval(**usual | changes)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    found = Ledger.open(url, begin=True, clock=lambda: START)
    found.set_cap(Scope.COURSE, COURSE, Decimal(100))
    for student, usd in (("ana", "1.111"), ("ben", "2.004")):
        asked = Reservation(
            student=student,
            team=None,
            course=COURSE,
            lab="qlora",
            run=f"run-{student}",
            usd=Decimal(3),
            expires=START + timedelta(hours=12),
        )
        found.reserve(asked)
        found.record(use(student, usd))
    found.record(use(None, "0.1234"))
    return found


def prove(folder: Path, *, done: bool = True) -> dict[str, Any]:
    document = {
        "format": FORMAT,
        "courses": [COURSE],
        "ended": (START + timedelta(hours=3)).isoformat(),
        "done": done,
        "proven": done,
        "num_left": 0 if done else 2,
        "not_scanned": [],
        "resources": [],
        "kept": [{"kind": "bucket", "id": "runs", "why": "results", "usd_per_hour": "unknown"}],
    }
    (folder / "proof.json").write_text(json.dumps(document))
    return document


def order(folder: Path, charges: list[Charge] = BILL) -> Order:
    return Order(
        course=COURSE,
        file=Path("clusters/llm-2026.yaml"),
        proof=folder / "proof.json",
        bills=[aws_focus(folder / "export" / "bill.parquet", charges)],
        store=folder / "bill",
        rules=None,
        folder=folder,
        until=None,
    )


def closed(folder: Path, charges: list[Charge] = BILL, now: datetime = FINAL) -> Closed:
    return close_course(order(folder, charges), prove(folder), now)


def test_planned_metered_and_billed_stand_side_by_side_and_their_cents_add_up(ledger: Ledger, tmp_path: Path) -> None:
    found = closed(tmp_path)
    rows = list(csv.reader((tmp_path / "report.csv").read_text().splitlines()))
    assert rows[0] == ["student", "lab", "planned_usd", "metered_usd", "metered_complete", "billed_usd"]
    assert rows[1:3] == [
        ["ana", "qlora", "3.00", "1.11", "true", "1.05"],
        ["ben", "qlora", "3.00", "2.01", "true", "2.01"],
    ]
    assert rows[3] == ["nobody", "what carries no student", "0.00", "0.12", "true", "0.00"]
    assert rows[-2][0] == "nobody"
    for column in (2, 3, 5):
        assert sum(Decimal(row[column]) for row in rows[1:-1]) == Decimal(rows[-1][column])
    assert rows[-1] == ["total", "", "6.00", "3.24", "true", "3.39"]
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["total"]["billed_usd"] == "3.39"
    assert (document["kept"][0]["id"], len(document["rows"])) == ("runs", 4)
    assert "ana" in (tmp_path / "report.html").read_text()
    assert found.head == ledger.head()
    assert ledger.verify() is None


def test_closing_again_changes_nothing_and_another_bill_is_another_row(ledger: Ledger, tmp_path: Path) -> None:
    first = closed(tmp_path)
    written = (tmp_path / "report.html").stat().st_mtime_ns
    again = closed(tmp_path)
    assert (again.before, again.head, first.before) == (True, first.head, False)
    assert (tmp_path / "report.html").stat().st_mtime_ns == written
    mended = closed(tmp_path, [charge("1.06", "ana", "qlora"), *BILL[1:]])
    assert (mended.before, mended.head != first.head) == (False, True)
    assert ledger.head() == mended.head


@pytest.mark.parametrize("proof", ["none", "left"])
def test_nothing_is_closed_while_something_is_left(ledger: Ledger, tmp_path: Path, proof: str) -> None:
    document = prove(tmp_path, done=False) if proof == "left" else None
    head = ledger.head()
    with pytest.raises(ClusterlabError, match=r"(2 left|no proof that nothing is left); `clusterlab class down"):
        close_course(order(tmp_path), document, FINAL)
    assert ledger.head() == head
    assert not (tmp_path / "report.csv").exists()


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("now", [FINAL - timedelta(seconds=1), START], ids=["a second early", "in the month"])
def test_a_bill_that_is_not_final_closes_nothing(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(ClusterlabError, match=r"2026-10: final from 2026-11-11 on; a month's bill is final 10 days"):
        closed(tmp_path, now=now)
    assert not (tmp_path / "report.csv").exists()


def test_a_month_without_its_bill_closes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(use("ana", "1", resource_id="i-late", start=datetime(2026, 11, 3, tzinfo=UTC), end=None))
    document = prove(tmp_path) | {"ended": "2026-11-03T05:00:00+00:00"}
    with pytest.raises(ClusterlabError, match=r"2026-11: no bill of it was given; .*nothing was closed"):
        close_course(order(tmp_path), document, datetime(2027, 1, 1, tzinfo=UTC))


def test_what_went_with_the_ledger_s_own_machine_ended_when_the_proof_says_so(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(use(None, "0.5", resource_id="i-server", end=None))
    closed(tmp_path)
    [server] = [each for each in ledger.intervals() if each.resource_id == "i-server"]
    assert server.end == START + timedelta(hours=3)


def test_a_price_that_nobody_knows_is_not_0(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(replace(use("ana", "1", resource_id="i-dear"), price_usd_per_hour=None))
    assert closed(tmp_path).sheet.total.complete is False


@pytest.mark.usefixtures("ledger")
def test_close_as_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The class has no proof here, and so is not closed."""
    monkeypatch.chdir(ROOT)
    arguments = ["class", "close", "clusters/llm-2026.yaml", "--bill", str(tmp_path), "--proof", str(tmp_path / "p")]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, "no proof that nothing is left" in result.output) == (1, True)
