from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.cost.money import CENT, LIMIT, parse_usd, to_cents
from clusterlab.cost.total import Total
from clusterlab.errors import InputError

amounts: st.SearchStrategy[Decimal] = st.decimals(-(10**6), 10**6, places=9)


@pytest.mark.parametrize("text", ["20", "20.00", " 20 USD ", "2e1"])
def test_an_amount_is_read(text: str) -> None:
    assert parse_usd(text, path="--usd") == 20


@pytest.mark.parametrize(
    "text", ["", "ten", "$20", "20 EUR", "EUR 20", "20EUR", "nan", "inf", "-1", "0.0000001", "1e12", "20 USD 3"]
)
def test_what_is_no_amount_of_dollars_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^--usd: .*; allowed: .*USD"):
        parse_usd(text, path="--usd")


def test_an_amount_below_the_limit_is_taken() -> None:
    assert parse_usd(str(LIMIT - 1), path="--usd") == LIMIT - 1


@given(st.lists(amounts, max_size=30))
def test_cents_sum_to_the_bill_and_none_moves_by_a_cent(given_amounts: list[Decimal]) -> None:
    cents = to_cents(given_amounts)
    assert [each.quantize(CENT) for each in cents] == cents
    assert abs(sum(cents, Decimal(0)) - sum(given_amounts, Decimal(0))) <= CENT / 2
    assert all(abs(cent - amount) < CENT for cent, amount in zip(cents, given_amounts, strict=True))


def test_a_missing_cent_goes_to_who_lost_most_and_to_the_first_of_equals() -> None:
    thirds = [Decimal(1) / 3] * 3
    assert to_cents(thirds) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]
    assert to_cents([Decimal("0.001"), Decimal("0.009")]) == [Decimal("0.00"), Decimal("0.01")]


def test_a_credit_stays_negative() -> None:
    assert to_cents([Decimal("-0.337"), Decimal("1.009")]) == [Decimal("-0.34"), Decimal("1.01")]


def test_a_total_with_an_unknown_amount_is_incomplete_and_says_so() -> None:
    total = Total.of([Decimal("1.5"), None, Decimal("2")])
    assert (total.usd, total.num_unknown, total.complete, str(total)) == (Decimal("3.5"), 1, False, "3.50 incomplete")
    assert total.as_json() == {"usd": "3.500000", "num_unknown": 1, "complete": False}
    assert str(total + Total.of([None])) == "3.50 incomplete"
    assert Total.of([]).complete
