"""FOCUS 1.2 as we write it: read back to the cent, and checked by the FinOps Foundation's own validator."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.bill.export import COLUMNS, export
from clusterlab.bill.intake import take_in
from clusterlab.bill.reconciliation import reconcile
from clusterlab.bill.store import Store
from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro
from clusterlab.errors import InputError
from tests.clusterlab.bill.exports import NOVEMBER
from tests.clusterlab.bill.test_reconciliation import INTERVALS, billed, interval

ROOT = Path(__file__).parents[3]
UV = ROOT / ".venv" / "uv" / "bin" / "uv"
FORMATS = [".csv", ".parquet"]
KNOWN = [
    interval(),
    interval("ben", "fsdp", resource="i-0bbb", start=NOVEMBER - timedelta(hours=1), hours=2.5),
    interval(None, None, resource="i-0ccc"),
]
APPLY = (
    "ACCOUNT_NAMING",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES",
    "MULTIPLE_BILLING_ACCOUNT_TYPES",
    "MULTIPLE_PRICING_CATEGORIES",
    "NEGOTIATED_PRICING",
    "PRICING_BILLING_CURRENCY_DIFFERENCES",
    "PUBLIC_PRICE_LIST",
    "REGION",
    "RESOURCE_TYPE_ASSIGNMENT",
    "TAGGING",
    "UNIT_PRICING",
    "USAGE_MEASUREMENT",
)
# An InvoiceId is there only with an invoice, says the specification; the validator wants one in every row.
CONTRADICTED = ["InvoiceId-C-005-C"]


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validator in an environment of its own. It asks for Python 3.12, and runs on 3.11 as well."""
    folder = tmp_path_factory.mktemp("focus")
    pins = (ROOT / "images" / "focus.lock").read_text().splitlines()
    (own,) = [pin for pin in pins if pin.startswith("focus-validator==")]
    (folder / "pins.txt").write_text("\n".join(pin for pin in pins if pin != own))
    python = folder / "venv" / "bin" / "python"
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    _run(UV, "pip", "install", "--quiet", "--python", python, "--requirements", folder / "pins.txt")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--no-deps", "--ignore-requires-python", own)
    return python.with_name("focus-validator")


@pytest.mark.parametrize("end", FORMATS)
def test_the_validator_of_focus_accepts_it(end: str, validator: Path, tmp_path: Path) -> None:
    path = tmp_path / f"focus{end}"
    export(KNOWN, path, now=NOVEMBER)
    # It looks for its list of currencies below the working folder.
    (packages,) = validator.parents[1].glob("lib/python*/site-packages")
    criteria = ",".join(f"{each}_SUPPORTED" for each in APPLY)
    command = [validator, "--data-file", path, "--validate-version", "1.2", "--block-download"]
    said = _run(*command, "--applicability-criteria", criteria, cwd=packages).stdout
    assert sorted(set(re.findall(r"^❌ (\S+): FAIL", said, re.MULTILINE))) == CONTRADICTED
    assert len(re.findall(r"^✅ (\S+): PASS", said, re.MULTILINE)) > 270


@pytest.mark.parametrize("end", FORMATS)
def test_what_is_exported_can_be_imported(end: str, tmp_path: Path) -> None:
    exported = export(KNOWN, tmp_path / f"focus{end}", now=NOVEMBER)
    store = Store(folder=tmp_path / "store")
    parts = take_in([tmp_path / f"focus{end}"], store)
    assert (exported.num_rows, exported.num_unknown) == (4, 0)
    assert sum(part.usd for part in parts) == exported.usd == Decimal("0.526") * Decimal("4.5")
    found = reconcile(store, [], {}, now=NOVEMBER)
    assert billed(found) == {"ana x qlora": "0.53", "ben x fsdp": "1.31"}


def test_an_interval_is_split_at_the_end_of_a_month(tmp_path: Path) -> None:
    export([KNOWN[1]], tmp_path / "focus.csv", now=NOVEMBER)
    before, after = _rows(tmp_path / "focus.csv")
    assert before["ChargePeriodEnd"] == after["ChargePeriodStart"] == "2026-11-01T00:00:00Z"
    assert (before["BillingPeriodStart"], after["BillingPeriodStart"]) == (
        "2026-10-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
    )
    assert [Decimal(row["PricingQuantity"]) for row in (before, after)] == [1, Decimal("1.5")]
    assert json.loads(before["Tags"]) == {"student": "ben", "lab": "fsdp"}
    assert (before["x_Student"], before["x_Lab"]) == ("ben", "fsdp")


def test_a_price_that_is_not_known_is_counted_and_not_zero(tmp_path: Path) -> None:
    exported = export([interval(), interval(price=None)], tmp_path / "focus.csv", now=NOVEMBER)
    assert (exported.num_rows, exported.num_unknown) == (1, 1)


def test_what_goes_on_ends_now(tmp_path: Path) -> None:
    export([interval(hours=None)], tmp_path / "focus.csv", now=interval().start + timedelta(minutes=30.5))
    (row,) = _rows(tmp_path / "focus.csv")
    assert (row["ChargePeriodEnd"], row["BilledCost"]) == ("2026-10-05T10:30:30Z", "0.267383000000")


def test_own_columns_begin_with_x_and_nothing_is_there_twice() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert all(name.startswith("x_") or name[0].isupper() for name in COLUMNS)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"focus\.xlsx: allowed: a file in \.csv or \.parquet"):
        export(KNOWN, tmp_path / "focus.xlsx", now=NOVEMBER)


@settings(max_examples=40)
@given(intervals=st.lists(INTERVALS, max_size=6))
def test_the_rows_sum_to_what_the_intervals_cost(
    intervals: list[Interval], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("export") / "focus.csv"
    exported = export(intervals, path, now=NOVEMBER)
    costs = [each.usd(NOVEMBER) for each in intervals]
    assert exported.usd == sum((to_micro(usd) for usd in costs if usd is not None), Decimal(0))
    assert sum((Decimal(row["BilledCost"]) for row in _rows(path)), Decimal(0)) == exported.usd


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _run(*command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, check=True, capture_output=True, text=True)
