"""Every way in which an export may be wrong: refused with a message, and nothing of it counts."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.bill.duplicates import Duplicates
from clusterlab.bill.intake import take_in
from clusterlab.bill.store import Store
from clusterlab.errors import InputError
from tests.clusterlab.bill.exports import AWS_X, NOVEMBER, aws_focus, charge, cur, focus, gcp, month, write
from tests.clusterlab.bill.test_intake import query


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(folder=tmp_path / "store")


def refused(path: Path, store: Store) -> str:
    """The message of an import that fails; the store must not have been touched."""
    with pytest.raises(InputError) as error:
        take_in([path], store)
    assert not store.folder.exists()
    return str(error.value)


def test_half_a_parquet(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.parquet", month(seed=1))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refused(path, store) == f"{path}: no whole Parquet file: it must begin and end with PAR1; fetch it again"


def test_a_parquet_with_a_hole(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.parquet", month(seed=1))
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(2000) + content[2200:])
    assert refused(path, store).startswith(f"{path}: malformed: ")


def test_a_csv_cut_in_a_quoted_field(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.csv", month(seed=1))
    text = path.read_text()
    path.write_text(text[: text.rindex("two\nthree") + 4])
    assert re.match(rf"{path}: malformed: .*unterminated quote", refused(path, store))


def test_a_csv_cut_between_two_fields(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.csv", month(seed=1))
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n,USD\n")
    assert "malformed: " in refused(path, store)


def test_a_csv_cut_in_its_last_number(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.csv", month(seed=1))
    path.write_text(path.read_text().rstrip("\r\n")[:-1])
    assert "its last line has no end, so that it may be cut" in refused(path, store)


def test_a_compressed_csv_that_is_cut(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.csv.gz", month(seed=1))
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read, or is cut: Compressed file ended" in refused(path, store)


def test_an_export_without_a_row(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.csv", month(seed=1))
    with path.open(newline="") as file:
        header = file.readline()
    path.write_text(header)
    assert refused(path, store) == f"{path}: has no row; allowed: an export with charges"


def test_a_file_that_is_no_bill(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("student,mark\nana,1.0\n")
    assert "no bill that can be read; allowed: an export of FOCUS 1.0 to 1.2, or AWS's CUR 2.0" in refused(path, store)


def test_two_currencies(tmp_path: Path, store: Store) -> None:
    path = gcp(tmp_path / "bill.csv", [charge("1", "ana"), charge("2", "ana", currency="EUR", resource="i-0bbb")])
    wanted = "BillingCurrency: 'EUR' in 1 row; allowed: USD, the one currency of prices and budgets"
    assert refused(path, store) == f"{path}: {wanted}"


@pytest.mark.parametrize("column", ["BilledCost", "BillingPeriodStart", "ChargePeriodEnd", "ProviderName"])
def test_an_empty_cell_that_must_not_be(column: str, tmp_path: Path, store: Store) -> None:
    rows = focus(month(seed=1), "1.2", AWS_X, "AWS")
    rows[3][column] = None
    assert re.search(rf": {column}: empty in 1 row; allowed: ", refused(write(tmp_path / "bill.csv", rows), store))


@pytest.mark.parametrize("amount", ["1,23", "free", "NaN", "1e400"])
def test_a_cost_that_is_no_number_is_not_zero(amount: str, tmp_path: Path, store: Store) -> None:
    rows = focus(month(seed=1), "1.2", AWS_X, "AWS")
    rows[3]["BilledCost"] = amount
    assert f": BilledCost: '{amount}' in 1 row; allowed: " in refused(write(tmp_path / "bill.csv", rows), store)


def test_a_cost_of_a_parquet_that_is_not_a_number(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.parquet", [charge("NaN", "ana")])
    assert ": BilledCost: 'nan' in 1 row" in refused(path, store)


def test_missing_mandatory_columns_are_all_named(tmp_path: Path, store: Store) -> None:
    rows = focus(month(seed=1), "1.2", AWS_X, "AWS")
    for row in rows:
        del row["BilledCost"], row["ServiceName"]
    message = refused(write(tmp_path / "bill.csv", rows), store)
    assert [line.split(": ")[1] for line in message.splitlines()] == ["BilledCost", "ServiceName"]
    assert "missing; FOCUS 1.0 to 1.2 have it in every export" in message


def test_a_missing_column_of_cur(tmp_path: Path, store: Store) -> None:
    path = cur(tmp_path / "bill.csv", month(seed=1))
    path.write_text(path.read_text().replace("line_item_unblended_cost", "line_item_blended_cost"))
    assert "line_item_unblended_cost: missing; an export of CUR 2.0 must select it" in refused(path, store)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("ChargeType", "a column of FOCUS 0.5"),
        ("UsageQuantity", "a column of FOCUS 1.0-preview"),
        ("ServiceProviderName", "a column of FOCUS 1.3"),
        ("Student", "no column of FOCUS 1.0 to 1.2; allowed: those, and columns that begin with x_"),
    ],
)
def test_a_column_of_another_version(column: str, wanted: str, tmp_path: Path, store: Store) -> None:
    rows = focus(month(seed=1), "1.2", (column,), "AWS")
    assert f": {column}: {wanted}" in refused(write(tmp_path / "bill.csv", rows), store)


def test_a_type_of_line_item_that_nobody_knows(tmp_path: Path, store: Store) -> None:
    path = cur(tmp_path / "bill.parquet", [charge("1", "ana", category="Surcharge")])
    assert "line_item_line_item_type: 'Surcharge' in 1 row; allowed: Usage, Purchase" in refused(path, store)


def test_tags_that_are_no_json(tmp_path: Path, store: Store) -> None:
    rows = focus(month(seed=1), "1.2", AWS_X, "AWS")
    for row in rows:
        row["Tags"] = "student=ana"
    message = refused(write(tmp_path / "bill.csv", rows), store)
    assert f"Tags: 'student=ana' in {len(rows)} rows; allowed: tags as JSON" in message


def test_a_charge_that_ends_before_it_starts(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.parquet", [charge("1", "ana", hours=-1)])
    assert "ChargePeriodEnd: '2026-10-05 10:00:00 to 2026-10-05 09:00:00' in 1 row" in refused(path, store)


def test_a_period_that_is_no_month(tmp_path: Path, store: Store) -> None:
    rows = focus([charge("1", "ana")], "1.2", AWS_X, "AWS")
    rows[0]["BillingPeriodEnd"] = datetime(2027, 10, 1, tzinfo=UTC)
    message = refused(write(tmp_path / "bill.csv", rows), store)
    assert "BillingPeriodEnd: '2027-10-01T00:00:00Z' in 1 row; allowed: an end within a month" in message


def test_rows_that_are_there_twice(tmp_path: Path, store: Store) -> None:
    charges = month(seed=1)
    path = aws_focus(tmp_path / "bill.parquet", [*charges, *charges[:3]])
    message = refused(path, store)
    assert re.search(r": 3 rows are there again, alike in every column: \d\.\d+ USD more", message)
    (part,) = take_in([path], store, duplicates=Duplicates.DROP)
    assert part.usd == sum(each.usd for each in charges)
    assert take_in([path], store, duplicates=Duplicates.DROP)[0].state == "unchanged"
    (part,) = take_in([path], store, duplicates=Duplicates.KEEP, replace=True)
    assert (part.state, part.usd) == ("replaced", sum(each.usd for each in [*charges, *charges[:3]]))


def test_the_same_row_in_two_files(tmp_path: Path, store: Store) -> None:
    aws_focus(tmp_path / "export" / "1.csv", [charge("1", "ana")])
    aws_focus(tmp_path / "export" / "2.csv", [charge("1", "ana"), charge("2", "ben")])
    assert ": 1 rows are there again" in refused(tmp_path / "export", store)


def test_the_same_file_under_two_names(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "export" / "1.csv", month(seed=1))
    (tmp_path / "export" / "2.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert f"the same content as {path}; allowed: each file once" in refused(tmp_path / "export", store)


@pytest.mark.parametrize(
    "writer", [lambda path, rows: aws_focus(path.with_suffix(".parquet"), rows), cur], ids=["another file", "cur"]
)
def test_one_bill_in_two_layouts(writer: Callable[..., Path], tmp_path: Path, store: Store) -> None:
    aws_focus(tmp_path / "export" / "1.csv", month(seed=1))
    writer(tmp_path / "export" / "2.csv", month(seed=1))
    message = refused(tmp_path / "export", store)
    assert re.search(r"AWS 000000000001 2026-10-01 is there as .*, and as .*; allowed: one of them", message)


def test_an_import_again_changes_nothing(tmp_path: Path, store: Store) -> None:
    path = aws_focus(tmp_path / "bill.parquet", month(seed=1))
    first, second = take_in([path], store), take_in([path], store)
    assert [part.state for part in first + second] == ["new", "unchanged"]
    assert query(store, "sum(BilledCost)") == [(first[0].usd,)]


def test_an_overlapping_import_never_doubles(tmp_path: Path, store: Store) -> None:
    october, november = month(seed=1), [replace(each, period=NOVEMBER) for each in month(seed=2)]
    take_in([aws_focus(tmp_path / "early.csv", october[:10])], store)
    late = aws_focus(tmp_path / "late.csv", [*october, *november])
    with pytest.raises(InputError, match=r"AWS 000000000001 2026-10-01 was imported before, from other files; --repl"):
        take_in([late], store)
    assert query(store, "sum(BilledCost)") == [(sum(each.usd for each in october[:10]),)]
    parts = take_in([late], store, replace=True)
    assert [part.state for part in parts] == ["replaced", "new"]
    assert query(store, "sum(BilledCost)") == [(sum(each.usd for each in [*october, *november]),)]


def test_accounts_that_are_written_alike_are_two(tmp_path: Path, store: Store) -> None:
    for number, account in enumerate(("A-1", "a_1")):
        take_in([gcp(tmp_path / f"{number}.csv", [charge("1", "ana", account=account)])], store)
    assert query(store, "sum(BilledCost)") == [(Decimal(2),)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30)),
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30)),
        ("2026-06-30T23:59:60Z", datetime(2026, 7, 1)),
        ("2026-10-25 02:30:00 UTC", datetime(2026, 10, 25, 2, 30)),
    ],
    ids=["summer", "winter", "leap second", "utc"],
)
def test_an_instant_by_its_zone(written: str, read: datetime, tmp_path: Path, store: Store) -> None:
    rows = focus([charge("1", "ana")], "1.2", AWS_X, "AWS")
    rows[0] |= {"ChargePeriodStart": written, "ChargePeriodEnd": "2026-10-31T00:00:00Z"}
    take_in([write(tmp_path / "bill.csv", rows)], store)
    assert query(store, "ChargePeriodStart") == [(read,)]


@pytest.mark.parametrize("written", ["2026-10-25T02:30:00", "2026-10-25", "25.10.2026 02:30Z"])
def test_an_instant_that_an_autumn_has_twice(written: str, tmp_path: Path, store: Store) -> None:
    rows = focus([charge("1", "ana")], "1.2", AWS_X, "AWS")
    rows[0]["ChargePeriodStart"] = written
    message = refused(write(tmp_path / "bill.csv", rows), store)
    assert f": ChargePeriodStart: '{written}' in 1 row; allowed: an instant with its zone" in message


def test_a_path_that_is_not_there_and_one_without_an_export(tmp_path: Path, store: Store) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as error:
        take_in([tmp_path / "no.csv", tmp_path / "empty", Path(__file__)], store)
    assert [line.split(": ", 1)[1][:12] for line in str(error.value).splitlines()] == [
        "no such file",
        "has no expor",
        "no export th",
    ]
