from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.bill.engine import connection
from clusterlab.bill.intake import take_in
from clusterlab.bill.store import Store
from tests.clusterlab.bill.exports import Charge, aws_focus, azure, charge, cur, gcp, month

Writer = Callable[[Path, Sequence[Charge]], Path]
EXPORTS: list[tuple[str, Writer]] = [
    ("focus.parquet", aws_focus),
    ("focus.csv", aws_focus),
    ("focus.csv.gz", aws_focus),
    ("focus-1-0.parquet", lambda path, charges: aws_focus(path, charges, "1.0")),
    ("focus-1-1.csv", lambda path, charges: aws_focus(path, charges, "1.1")),
    ("cur.parquet", cur),
    ("cur.csv.gz", cur),
    ("gcp.parquet", gcp),
    ("gcp.csv", gcp),
    ("azure.csv", azure),
    ("azure.csv.gz", azure),
    ("azure.parquet", azure),
]


def query(store: Store, columns: str) -> list[tuple[Any, ...]]:
    with connection() as database:
        return database.execute(f"SELECT {columns} FROM {store.relation()} ORDER BY ALL").fetchall()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(folder=tmp_path / "store")


@pytest.mark.parametrize(("name", "write"), EXPORTS, ids=[name for name, _ in EXPORTS])
def test_every_export_gives_the_same_normal_form(name: str, write: Writer, tmp_path: Path, store: Store) -> None:
    charges = month(seed=1)
    (part,) = take_in([write(tmp_path / name, charges)], store)
    assert (part.state, part.num_rows, part.usd) == ("new", len(charges), sum(each.usd for each in charges))
    found = query(store, "ChargePeriodStart, ChargePeriodEnd, BilledCost, x_Student, x_Lab, x_Resource, ChargeCategory")
    wanted = [
        (
            each.start.replace(tzinfo=None),
            each.end.replace(tzinfo=None),
            each.usd,
            dict(each.tags).get("student"),
            dict(each.tags).get("lab"),
            each.resource,
            each.category,
        )
        for each in charges
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_a_folder_is_read_with_all_its_files_and_its_names_are_no_columns(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "BILLING_PERIOD=2026-10"
    aws_focus(folder / "llm-00001.snappy.parquet", [charge("1", "ana", "qlora")])
    aws_focus(folder / "llm-00002.snappy.parquet", [charge("2", "ben", "qlora")])
    (folder / "manifest.json").write_text("{}")
    (part,) = take_in([tmp_path], store)
    assert (part.num_rows, part.usd) == (2, Decimal(3))
    assert query(store, "x_Student, BilledCost") == [("ana", Decimal(1)), ("ben", Decimal(2))]


def test_what_is_far_below_a_cent_counts(tmp_path: Path, store: Store) -> None:
    charges = [charge(f"0.0000000{digit}", "ana", "qlora", resource=f"bucket-{digit}") for digit in range(1, 10)]
    (part,) = take_in([aws_focus(tmp_path / "small.csv", charges)], store)
    assert part.usd == Decimal("0.00000045")
