from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.errors import InputError

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def interval(**changes: Any) -> Interval:
    usual: dict[str, Any] = {
        "resource_id": "i-0abc",
        "kind": Kind.COMPUTE,
        "student": "ana",
        "team": None,
        "course": "llm-2026",
        "lab": "qlora",
        "run": "0a1b",
        "start": START,
        "end": START + timedelta(minutes=90),
        "shape": "g6.xlarge",
        "region": "us-east-1",
        "price_usd_per_hour": Decimal("0.8048"),
        "price_as_of": date(2026, 9, 6),
        "source": Source.EC2,
    }
    return Interval(**usual | changes)


def test_it_costs_its_hours_at_its_price() -> None:
    assert interval().usd(START) == Decimal("1.2072")


def test_one_that_goes_on_costs_what_it_has_until_now_and_nothing_before_it_began() -> None:
    going_on = interval(end=None)
    assert going_on.usd(START + timedelta(hours=10)) == Decimal("8.048")
    assert going_on.usd(START - timedelta(hours=1)) == 0


def test_an_unknown_price_is_no_zero() -> None:
    assert interval(price_usd_per_hour=None).usd(START) is None
    assert interval(price_usd_per_hour=Decimal(0)).usd(START) == 0


@given(st.integers(0, 10**10), st.integers(0, 10**10), st.decimals(0, 1000, places=6))
def test_cost_is_the_sum_of_the_cost_of_its_parts(first: int, second: int, price: Decimal) -> None:
    middle, end = START + timedelta(microseconds=first), START + timedelta(microseconds=first + second)
    parts = [interval(start=START, end=middle), interval(start=middle, end=end)]
    usd = [Interval(**each_of(part) | {"price_usd_per_hour": price}).usd(START) for part in [*parts, interval(end=end)]]
    assert usd[0] is not None
    assert usd[1] is not None
    assert usd[2] is not None
    assert abs(usd[0] + usd[1] - usd[2]) < Decimal("1e-12")


def each_of(part: Interval) -> dict[str, Any]:
    return {name: getattr(part, name) for name in Interval.__dataclass_fields__}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "ends before it starts": ({"end": START - timedelta(seconds=1)}, "end: 2026-03-29T00:29:59.* is before the start"),
    "naive": ({"start": datetime(2026, 3, 29)}, "start: .*; allowed: an instant in UTC"),
    "summer time": ({"start": datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/Berlin"))}, "start: .*in UTC"),
    "another zone": ({"end": START.astimezone(timezone(timedelta(hours=-5)))}, "end: .*in UTC"),
    "negative": ({"price_usd_per_hour": Decimal(-1)}, "price_usd_per_hour: -1; allowed: a number from 0"),
    "not a number": ({"price_usd_per_hour": Decimal("NaN")}, "price_usd_per_hour: NaN"),
    "no label": ({"student": "Ana Díaz"}, "student: 'Ana Díaz' is not a label"),
    "no resource": ({"resource_id": ""}, "resource_id: empty"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        interval(**changes)


@pytest.mark.parametrize(
    "changes", [{}, {"end": None, "price_usd_per_hour": None, "price_as_of": None, "student": None, "run": None}]
)
def test_it_is_read_back_from_json_as_it_was(changes: dict[str, Any]) -> None:
    one = interval(**changes)
    assert Interval.from_json(json.loads(json.dumps(one.as_json()))) == one


@pytest.mark.parametrize(
    "changes", [{"kind": "gpu"}, {"start": "yesterday"}, {"start": None}, {"price_usd_per_hour": "x"}, {"more": 1}]
)
def test_json_that_is_no_interval_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^interval: cannot be read: "):
        Interval.from_json(interval().as_json() | changes)
