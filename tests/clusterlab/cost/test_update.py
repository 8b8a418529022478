from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import PATH, Catalog, Row
from clusterlab.cost.quote import Key, Quote, key_of
from clusterlab.cost.update import Change, Outcome, changes, percent, refuse_jumps, written
from clusterlab.errors import InputError

CATALOG = Catalog.load()
ROW = next(row for row in CATALOG.rows if (row.region, row.name) == ("us-east-1", "m5.xlarge"))
LATER = date(2026, 11, 20)


def quote(on_demand: str | None, spot: str | None = None, as_of: date = LATER) -> Quote:
    usd = [None if text is None else Decimal(text) for text in (on_demand, spot)]
    return Quote(on_demand_usd=usd[0], spot_usd=usd[1], as_of=as_of, source="a list")


def changed(of: Row = ROW, **quotes: Quote) -> Change:
    """What becomes of a row by one quote of it."""
    found: dict[Key, Quote] = {key_of(of): each for each in quotes.values()}
    return next(each for each in changes(Catalog(rows=(of,)), found, clouds=["aws"]))


def test_a_catalog_that_nothing_changes_is_written_as_it_was() -> None:
    assert written(CATALOG, []) == PATH.read_text()


def test_a_new_price_has_the_day_and_source_of_its_list(tmp_path: Path) -> None:
    change = changed(a=quote("0.2", "0.08"))
    assert (change.outcome, change.new.as_of, change.new.source) == (Outcome.CHANGED, LATER, "a list")
    path = tmp_path / "catalog.csv"
    path.write_text(written(CATALOG, [change]))
    read = Catalog.load(path)
    assert [row for row in read.rows if key_of(row) == key_of(ROW)] == [change.new]
    assert [row for row in read.rows if row != change.new] == [row for row in CATALOG.rows if row != ROW]


def test_the_same_price_is_confirmed_on_the_later_day() -> None:
    change = changed(a=quote("0.192", "0.07044"))
    assert (change.outcome, change.prices, change.new.as_of) == (Outcome.CONFIRMED, {}, LATER)


def test_a_row_that_the_list_does_not_have_is_kept() -> None:
    assert changed().outcome is Outcome.MISSING
    change = changed(a=quote(None))
    assert (change.outcome, change.new) == (Outcome.MISSING, ROW)


def test_a_list_that_is_older_changes_nothing() -> None:
    change = changed(a=quote("0.2", as_of=date(2026, 9, 5)))
    assert (change.outcome, change.new) == (Outcome.OLDER, ROW)


def test_a_price_that_the_list_lacks_stays_and_the_row_stays_as_old_as_it() -> None:
    change = changed(a=quote("0.2"))
    assert (change.new.spot_usd, change.new.as_of) == (ROW.spot_usd, ROW.as_of)
    assert change.new.source == f"a list; spot: {ROW.source}"
    again = changed(change.new, a=replace(quote("0.21"), source="another"))
    assert again.new.source == f"another; spot: {ROW.source}"
    whole = changed(again.new, a=quote("0.21", "0.07"))
    assert (whole.new.as_of, whole.new.source) == (LATER, "a list")


def test_an_unknown_price_becomes_known() -> None:
    unknown = replace(ROW, on_demand_usd=None, spot_usd=None, as_of=None)
    change = changed(unknown, a=quote("0.192"))
    assert (change.outcome, change.new.on_demand_usd, change.new.as_of) == (Outcome.CHANGED, Decimal("0.192"), LATER)
    assert not change.jumps


JUMPS = {"0.288": False, "0.2881": True, "0.096": False, "0.0959": True, "0": True}


@pytest.mark.parametrize(("usd", "jumps"), JUMPS.items())
def test_a_price_that_turns_0_or_differs_by_more_than_half_jumps(usd: str, jumps: bool) -> None:
    change = changed(a=quote(usd))
    assert change.jumps is jumps
    if jumps:
        with pytest.raises(InputError, match=rf"^aws m5.xlarge in us-east-1: on demand: 0.192 USD becomes {usd}; "):
            refuse_jumps([change])
    else:
        refuse_jumps([change])


def test_a_price_that_was_unknown_and_is_0_jumps_too() -> None:
    assert changed(replace(ROW, spot_usd=None), a=quote("0.192", "0")).jumps


def test_percent_is_of_the_old_price() -> None:
    assert percent(Decimal(2), Decimal(3)) == "+50.0%"
    assert percent(None, Decimal(3)) is percent(Decimal(2), None) is percent(Decimal(0), Decimal(1)) is None
