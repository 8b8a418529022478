"""The emulated bill: made of the cloud's record of calls, and taken in by the code that takes a real one."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from clusterlab.bill.intake import take_in
from clusterlab.bill.month import month_of
from clusterlab.bill.store import Store
from clusterlab.catalog import Catalog, Kind
from clusterlab.reaper.resource import Kind as Thing
from clusterlab.reaper.resource import Resource
from clusterlab.rehearsal.cloud import Call
from clusterlab.rehearsal.course.bill import Charge, _of_disk, _of_machine, billed, write_bill

EVE = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MACHINE = Resource(kind=Thing.INSTANCE, id="i-0a", region="us-east-1", tags={"student": "ana"}, shape="g6.xlarge")


class Course:
    """As much of one as prices need."""

    catalog = Catalog.load()

    class clock:  # noqa: N801 (an attribute)
        @staticmethod
        def now() -> datetime:
            return EVE + 10 * HOUR


def call(action: str, hours: float) -> Call:
    return Call(action=action, instances=("i-0a",), error=None, at=EVE + timedelta(hours=hours))


def of_machine(*calls: Call) -> list[Charge]:
    return list(_of_machine(Course, MACHINE, calls))  # type: ignore[arg-type]


def price() -> Decimal:
    row = Course.catalog.row(Kind.MACHINE, "aws", "us-east-1", "g6.xlarge")
    assert row is not None
    assert row.on_demand_usd is not None
    return row.on_demand_usd


def test_a_machine_costs_while_it_runs_and_its_disk_until_it_ends() -> None:
    calls = [
        call("RunInstances", 0),
        call("StopInstances", 2),
        call("StartInstances", 5),
        call("TerminateInstances", 6),
    ]
    assert [each.usd for each in of_machine(*calls)] == [2 * price(), price()]
    disk = _of_disk(Course, MACHINE, "vol-1", 100, calls)  # type: ignore[arg-type]
    assert disk.end - disk.start == 6 * HOUR


def test_a_machine_that_nobody_ended_costs_until_now() -> None:
    assert sum(each.usd for each in of_machine(call("RunInstances", 0))) == 10 * price()


def test_an_export_has_a_line_for_each_hour_in_the_period_of_its_month_and_says_that_it_is_emulated(
    tmp_path: Path,
) -> None:
    write_bill(of_machine(call("RunInstances", 0), call("TerminateInstances", 2)), tmp_path / "bill.csv")
    with (tmp_path / "bill.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["PricingQuantity"][:3] for row in rows] == ["0.5", "1.0", "0.5"]
    assert [row["BillingPeriodStart"][:7] for row in rows] == ["2026-11", "2026-11", "2026-12"]
    assert {row["ProviderName"] for row in rows} == {"AWS (emulated)"}
    assert billed(tmp_path / "bill.csv") == 2 * price()
    parts = take_in([tmp_path / "bill.csv"], Store(folder=tmp_path / "store"))
    assert sum(part.usd for part in parts) == 2 * price()
    assert [f"{part.key.period:%Y-%m}" for part in parts] == ["2026-11", "2026-12"]


def test_a_month_ends_with_the_first_instant_of_the_next() -> None:
    assert month_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))[1] == datetime(2027, 1, 1, tzinfo=UTC)
