from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.bill.unit import Unit, split

AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=12)
WEIGHTS = st.lists(st.integers(min_value=0, max_value=10**18), min_size=1, max_size=20).filter(any)


@given(usd=AMOUNTS, weights=WEIGHTS)
def test_parts_sum_to_the_amount_and_none_is_off_by_a_picodollar(usd: Decimal, weights: list[int]) -> None:
    parts, total = split(usd, weights), sum(weights)
    assert sum(map(int, (part.scaleb(12) for part in parts))) == int(usd.scaleb(12))
    for part, weight in zip(parts, weights, strict=True):
        assert abs(int(part.scaleb(12)) * total - int(usd.scaleb(12)) * weight) < total


def test_what_is_left_over_goes_to_who_lost_most() -> None:
    assert split(Decimal("0.000000000010"), [1, 1, 1]) == [
        Decimal("0.000000000004"),
        Decimal("0.000000000003"),
        Decimal("0.000000000003"),
    ]


def test_who_weighs_nothing_gets_nothing() -> None:
    assert split(Decimal("-1"), [0, 2]) == [Decimal(0), Decimal(-1)]


@pytest.mark.parametrize(("lab", "text"), [("qlora", "ana x qlora"), ("", "ana x no lab")])
def test_a_unit_as_text(lab: str, text: str) -> None:
    assert str(Unit(student="ana", lab=lab)) == text
