from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.location import open_ledger
from clusterlab.ledger.reservation import Reservation
from tests.clusterlab.bill.exports import aws_focus, charge, month
from tests.clusterlab.bill.test_reconciliation import interval
from tests.clusterlab.test_cli import invoke

pytestmark = pytest.mark.usefixtures("house")


def test_an_import_says_what_it_took(tmp_path: Path) -> None:
    aws_focus(tmp_path / "export.csv", [charge("1.005", "ana", "qlora"), charge("2", "ben", "fsdp")])
    code, out, _ = invoke("bill", "import", "export.csv")
    assert code == 0
    assert out.splitlines()[1].split() == ["AWS", "000000000001", "2026-10-01", "new", "2", "3.00"]
    assert [path.parent.name for path in (tmp_path / "bill").rglob("*.parquet")] == ["2026-10-01"]


def test_an_import_as_json_is_exact(tmp_path: Path) -> None:
    aws_focus(tmp_path / "export.parquet", [charge("1.0050001", "ana", "qlora")])
    code, out, _ = invoke("bill", "import", "export.parquet", "--store", "elsewhere", "--json")
    assert code == 0
    (found,) = json.loads(out)["bills"]
    assert found == {
        "provider": "AWS",
        "account": "000000000001",
        "period": "2026-10-01",
        "state": "new",
        "num_rows": 1,
        "billed_usd": "1.005000100000",
    }
    assert (tmp_path / "elsewhere").is_dir()


def test_another_export_of_the_period_is_refused_until_it_is_to_replace(tmp_path: Path) -> None:
    for seed in (1, 2):
        aws_focus(tmp_path / f"{seed}.csv", month(seed))
    assert invoke("bill", "import", "1.csv")[0] == 0
    code, _, err = invoke("bill", "import", "2.csv")
    assert (code, "--replace puts these in their place" in err) == (2, True)
    assert invoke("bill", "import", "2.csv", "--replace")[0] == 0


def test_an_unknown_choice_of_duplicates_is_refused(tmp_path: Path) -> None:
    aws_focus(tmp_path / "1.csv", month(seed=1))
    code, _, err = invoke("bill", "import", "1.csv", "--duplicates", "merge")
    assert (code, err) == (2, "--duplicates: 'merge'; allowed: refuse, drop, keep\n")


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """A ledger that is named, with a run of ana's that is reserved, used and priced."""
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
    with closing(open_ledger(begin=True)) as opened:
        opened.set_cap(Scope.STUDENT, "ana", Decimal(20))
        expires = datetime.now(UTC) + timedelta(days=1)
        names = {"student": "ana", "team": None, "course": "llm-2026", "lab": "qlora", "run": "r1"}
        opened.reserve(Reservation(**names, usd=Decimal("1.5"), expires=expires))  # type: ignore[arg-type]
        opened.record(replace(interval(), **names))  # type: ignore[arg-type]
        yield opened


RULES = "rules:\n  - {name: tax, match: {ChargeCategory: Tax}, share: proportional}\n"


@pytest.mark.usefixtures("ledger")
def test_the_bill_is_set_against_the_ledger(tmp_path: Path) -> None:
    charges = [charge("0.53"), charge("0.05", resource=None, category="Tax")]
    aws_focus(tmp_path / "export.csv", charges)
    invoke("bill", "import", "export.csv")
    code, out, _ = invoke("bill", "reconcile", "--json")
    found = json.loads(out)
    assert (code, found["agrees"], found["bill_usd"], found["unallocated_usd"]) == (1, False, "0.58", "0.05")
    assert found["rows"] == [
        {
            "student": "ana",
            "lab": "qlora",
            "estimated_usd": "1.500000",
            "metered": {"usd": "0.526000", "num_unknown": 0, "complete": True},
            "direct_usd": "0.53",
            "shared_usd": "0.00",
            "billed_usd": "0.53",
            "error_usd": "0.004000",
            "error_percent": "0.8",
        }
    ]
    (tmp_path / "rules.yaml").write_text(RULES)
    code, out, _ = invoke("bill", "reconcile", "--rules", "rules.yaml", "--period", "2026-10")
    assert code == 0
    (row,) = [line for line in out.splitlines() if "qlora" in line]
    assert row.split() == ["ana", "qlora", "1.50", "0.53", "0.58", "0.05", "+0.00", "+0.8"]
    assert "bill" in out.splitlines()[-2]
    assert "0.58" in out.splitlines()[-2]


def test_without_a_ledger_the_bill_is_shared_out_and_said_not_to_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLUSTERLAB_LEDGER", raising=False)
    aws_focus(tmp_path / "export.csv", [charge("2", "ana", "qlora")])
    invoke("bill", "import", "export.csv")
    code, out, err = invoke("bill", "reconcile")
    assert (code, "nothing is metered: CLUSTERLAB_LEDGER names no ledger" in err) == (1, True)
    assert "ana" in out


def test_a_tolerance_is_of_what_was_metered(tmp_path: Path, ledger: Ledger) -> None:
    del ledger
    aws_focus(tmp_path / "export.csv", [charge("0.60")])
    invoke("bill", "import", "export.csv")
    assert invoke("bill", "reconcile")[0] == 1
    assert invoke("bill", "reconcile", "--tolerance", "15")[0] == 0


def test_the_ledgers_intervals_are_exported(tmp_path: Path, ledger: Ledger) -> None:
    assert invoke("bill", "export", "--focus", "out.csv")[:2] == (0, "out.csv: 1 rows, 0.53 USD\n")
    ledger.record(interval("ben", "fsdp", resource="i-0bbb", price=None))
    code, out, err = invoke("bill", "export", "--focus", "out.parquet", "--json")
    assert (code, json.loads(out)) == (1, {"num_rows": 1, "billed_usd": "0.526000000000", "num_unknown": 1})
    assert err == "out.parquet: incomplete: 1 intervals without a known price are left out\n"
    assert (tmp_path / "out.parquet").is_file()


def test_an_export_needs_a_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTERLAB_LEDGER", raising=False)
    code, _, err = invoke("bill", "export", "--focus", "out.csv")
    assert (code, err.startswith("CLUSTERLAB_LEDGER: not set")) == (2, True)
