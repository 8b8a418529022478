from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.catalog import Catalog, Kind
from clusterlab.cost.aws_prices import COLUMNS, MACHINE, read
from clusterlab.errors import InputError, MissingError

CATALOG = Catalog.load()
Offer = dict[str, Any]
"""One product as both forms have it: attributes, family, price, currency."""


def machine(name: str = "g6.xlarge", region: str = "us-west-2", usd: str = "0.8048", **other: str) -> Offer:
    attributes = {name: value for name, (_, value) in MACHINE.items()} | {"instanceType": name, "regionCode": region}
    given = {key: value for key, value in other.items() if key not in ("currency", "term")}
    return {"family": "Compute Instance", "attributes": attributes | given, "usd": usd} | other


def volume(name: str = "gp3", region: str = "us-west-2", usd: str = "0.08") -> Offer:
    return {"family": "Storage", "attributes": {"volumeApiName": name, "regionCode": region}, "usd": usd}


def as_json(offers: list[Offer], path: Path, *, offer: str = "AmazonEC2") -> Path:
    products: dict[str, Any] = {}
    terms: dict[str, Any] = {}
    for number, each in enumerate(offers):
        sku = f"SKU{number}"
        products[sku] = {"sku": sku, "productFamily": each["family"], "attributes": each["attributes"]}
        dimension = {"unit": "Hrs", "pricePerUnit": {each.get("currency", "USD"): each["usd"]}}
        terms[sku] = {f"{sku}.T": {"priceDimensions": {f"{sku}.T.D": dimension}}}
    document: dict[str, Any] = {"formatVersion": "v1.0", "offerCode": offer, "publicationDate": "2026-11-20T12:00:00Z"}
    reserved = {"SKU0": {"SKU0.R": {"priceDimensions": {"x": {"pricePerUnit": {"USD": "99"}}}}}}
    document |= {"products": products, "terms": {"OnDemand": terms, "Reserved": reserved}}
    path = path / "index.json"
    path.write_text(json.dumps(document))
    return path


def as_csv(offers: list[Offer], path: Path, *, offer: str = "AmazonEC2") -> Path:
    head = [("FormatVersion", "v1.0"), ("Disclaimer", "none"), ("Publication Date", "2026-11-20T12:00:00Z")]
    path = path / "index.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([*head, ("Version", "1"), ("OfferCode", offer), COLUMNS])
        for number, each in enumerate(offers):
            attributes = each["attributes"]
            cells = {column: attributes.get(name, "") for name, (column, _) in MACHINE.items()}
            cells |= {"SKU": f"SKU{number}", "TermType": "OnDemand", "PricePerUnit": each["usd"], "Unit": "Hrs"}
            cells |= {"Currency": each.get("currency", "USD"), "Product Family": each["family"]}
            names = {"Instance Type": "instanceType", "Region Code": "regionCode", "Volume API Name": "volumeApiName"}
            cells |= {column: attributes.get(name, "") for column, name in names.items()}
            writer.writerow([cells[column] for column in COLUMNS])
            reserved = cells | {"TermType": "Reserved", "PricePerUnit": "99"}
            writer.writerow([reserved[column] for column in COLUMNS])
    return path


Write = Callable[..., Path]
both = pytest.mark.parametrize("write", [as_json, as_csv])


@both
def test_machines_and_disks_of_the_catalog_are_read_with_the_day_of_the_list(write: Write, tmp_path: Path) -> None:
    offers = [machine(), machine("x9.large"), machine("g6.xlarge", "moon-1"), volume(), volume("io9")]
    quotes = read(write(offers, tmp_path), CATALOG, as_of=None)
    keys = [(Kind.MACHINE, "aws", "us-west-2", "g6.xlarge"), (Kind.DISK, "aws", "us-west-2", "gp3")]
    assert list(quotes) == keys
    assert [quotes[key].on_demand_usd for key in keys] == [Decimal("0.8048"), Decimal("0.08")]
    assert {quote.spot_usd for quote in quotes.values()} == {None}
    assert {quote.as_of for quote in quotes.values()} == {date(2026, 11, 20)}
    assert {quote.source for quote in quotes.values()} == {"AWS price list of AmazonEC2, published 2026-11-20"}
    given = read(write(offers, tmp_path), CATALOG, as_of=date(2026, 1, 2))
    assert {quote.as_of for quote in given.values()} == {date(2026, 1, 2)}


@both
@pytest.mark.parametrize(
    "other",
    [
        {"tenancy": "Dedicated"},
        {"operatingSystem": "Windows"},
        {"preInstalledSw": "SQL Web"},
        {"capacitystatus": "UnusedCapacityReservation"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_only_a_linux_machine_on_demand_counts(write: Write, tmp_path: Path, other: dict[str, str]) -> None:
    quotes = read(write([machine(usd="9", **other), machine()], tmp_path), CATALOG, as_of=None)
    assert [quote.on_demand_usd for quote in quotes.values()] == [Decimal("0.8048")]


FAULTS: dict[str, tuple[list[Offer], dict[str, str], str]] = {
    "currency": ([machine(currency="CNY")], {}, r"g6.xlarge in us-west-2: is priced in CNY; allowed: a list in USD"),
    "two prices": ([machine(), machine(usd="1")], {}, r"has two prices, 0.8048 and 1; allowed: one"),
    "no price": ([machine(usd="free")], {}, r"g6.xlarge in us-west-2: 'free'; allowed: a price in USD from 0"),
    "region": ([machine(region="moon-1")], {}, r"has prices of moon-1; the catalog has us-east-1, "),
    "offer": ([machine()], {"offer": "AmazonS3"}, r"is no price list of AmazonEC2; allowed: its index.json or index"),
}


@both
@pytest.mark.parametrize(("offers", "given", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_list_of_something_else_is_one_clear_error(
    write: Write, tmp_path: Path, offers: list[Offer], given: dict[str, str], message: str
) -> None:
    path = write(offers, tmp_path, **given)
    with pytest.raises(InputError, match=message) as error:
        read(path, CATALOG, as_of=None)
    assert len(error.value.problems) == 1
    assert str(error.value).startswith(str(path))


@both
def test_a_list_that_is_cut_off_is_refused(write: Write, tmp_path: Path) -> None:
    path = write([machine(), volume()], tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError, match=r"cannot be read|is cut off"):
        read(path, CATALOG, as_of=None)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"offerCode": "AmazonEC2"}', "no list"])
@pytest.mark.parametrize("name", ["index.json", "index.csv"])
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=r"cannot be read|is no price list of AmazonEC2"):
        read(path, CATALOG, as_of=None)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = as_csv([machine()], tmp_path)
    path.write_text(path.read_text().replace("Region Code", "Region"))
    with pytest.raises(InputError, match=r"lacks the columns Region Code; allowed: a table that has them"):
        read(path, CATALOG, as_of=None)


def test_what_reads_json_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ijson", None)
    with pytest.raises(MissingError, match=r"^ijson: not installed; `pip install 'clusterlab\[money\]'` installs it$"):
        read(as_json([machine()], tmp_path), CATALOG, as_of=None)
