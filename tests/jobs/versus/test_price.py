from __future__ import annotations

from decimal import Decimal

import pytest

from clusterlab.catalog import Catalog
from clusterlab.errors import InputError
from jobs.versus.price import Price, priced_machines


def test_what_is_billed_is_the_price() -> None:
    price = Price.of({"CLUSTERLAB_USD_PER_HOUR": "3.6"}, "m5.large")
    assert price == Price(usd_per_hour=Decimal("3.6"), source="as billed for this machine")
    # A thousandth of a dollar a second, for a thousand tokens.
    assert price.usd_per_million(1000) == 1


@pytest.mark.parametrize("environment", [{}, {"CLUSTERLAB_USD_PER_HOUR": "0"}])
def test_where_nothing_is_billed_the_catalog_has_the_price(environment: dict[str, str]) -> None:
    price = Price.of(environment, "m5.large")
    row = next(row for row in Catalog.load().rows if row.name == "m5.large")
    assert price.usd_per_hour == row.on_demand_usd
    assert price.source == f"aws m5.large, on demand, {row.as_of}"


def test_a_machine_without_a_price_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(InputError, match=r"^MACHINE: 'laptop' has no price in the catalog; allowed: .*g6\.xlarge"):
        Price.of({}, "laptop")
    assert "this machine" not in priced_machines()


def test_nothing_written_has_no_price() -> None:
    assert Price(usd_per_hour=Decimal(1), source="").usd_per_million(0) == float("inf")
