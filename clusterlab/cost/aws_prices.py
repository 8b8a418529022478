"""Prices out of a price list of AmazonEC2, the bulk `index.json` or `index.csv` of one region or of all.

Both are read as a stream, since that of all regions has gigabytes. It has Linux machines on demand and the storage of
volumes; spot prices, and what leaves for the internet, are in no such list.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from clusterlab.catalog import Catalog, Kind, Row
from clusterlab.cost.money import CURRENCY
from clusterlab.cost.quote import Key, Quote, Quotes, need_columns, price, wanted
from clusterlab.errors import InputError, MissingError, Problem

CLOUD = "aws"
OFFER = "AmazonEC2"
INSTALL = "pip install 'clusterlab[money]'"
MACHINE = {
    "tenancy": ("Tenancy", "Shared"),
    "operatingSystem": ("Operating System", "Linux"),
    "preInstalledSw": ("Pre Installed S/W", "NA"),
    "capacitystatus": ("CapacityStatus", "Used"),
}
"""By attribute of the JSON: its column of the CSV, and the value of a machine as one launches it."""
HEAD = 5
"""Lines of the CSV before that of its columns: format, disclaimer, day, version, offer."""
COLUMNS = (
    *("SKU", "TermType", "Unit", "PricePerUnit", "Currency", "Product Family", "Instance Type", "Region Code"),
    *("Volume API Name", *(column for column, _ in MACHINE.values())),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _List:
    """A price list as far as it was read."""

    path: Path
    rows: Mapping[Key, Row]
    """Of the catalog."""
    quotes: dict[Key, Quote] = field(default_factory=dict)
    regions: dict[str, None] = field(default_factory=dict)
    """That it has anything of."""

    def complain(self, key: str, message: str) -> InputError:
        return InputError(Problem(path=str(self.path), key=key, message=message))

    def add(self, key: Key, usd: str, currency: str, as_of: date) -> None:
        """Note a price; one that says otherwise of the same thing is a fault, and so is another currency."""
        where = f"{key[3]} in {key[2]}"
        if currency != CURRENCY:
            raise self.complain(where, f"is priced in {currency}; allowed: a list in {CURRENCY}")
        amount = price(usd, path=str(self.path), key=where)
        other = self.quotes.get(key)
        if other is not None and other.on_demand_usd != amount:
            raise self.complain(where, f"has two prices, {other.on_demand_usd} and {amount}; allowed: one")
        source = f"AWS price list of {OFFER}, published {as_of}"
        self.quotes[key] = Quote(on_demand_usd=amount, spot_usd=None, as_of=as_of, source=source)


def read(path: Path, catalog: Catalog, *, as_of: date | None) -> Quotes:
    """The prices of the catalog's machines and disks, as of the day that the list was published.

    Raises:
        InputError: the file is no such list, is not whole, has another currency, or none of the catalog's regions.
        MissingError: what reads JSON as a stream is not installed.
    """
    found = _List(path=path, rows=wanted(catalog, CLOUD))
    if path.suffix == ".csv":
        _read_csv(found, as_of)
    else:
        _read_json(found, as_of)
    ours = dict.fromkeys(region for _, _, region, _ in found.rows)
    if not found.regions.keys() & ours.keys():
        message = f"has prices of {', '.join(found.regions) or 'no region'}; the catalog has {', '.join(ours)}"
        raise found.complain("", message)
    return found.quotes


def _key(attributes: Mapping[str, str | None], family: str, rows: Mapping[Key, Row]) -> Key | None:
    """Which row of the catalog a product is; None for any other."""
    region = attributes.get("regionCode") or ""
    if family.startswith("Compute Instance"):
        usual = all(attributes.get(name) == value for name, (_, value) in MACHINE.items())
        key = (Kind.MACHINE, CLOUD, region, attributes.get("instanceType") or "")
        return key if usual and key in rows else None
    key = (Kind.DISK, CLOUD, region, attributes.get("volumeApiName") or "")
    return key if family == "Storage" and key in rows else None


def _read_csv(found: _List, as_of: date | None) -> None:
    try:
        with found.path.open(newline="") as file:
            head = dict(line[:2] for line in itertools.islice(csv.reader(file, strict=True), HEAD) if len(line) > 1)
            seen = as_of or _published(found, head.get("OfferCode"), head.get("Publication Date"))
            reader = csv.DictReader(file, strict=True)
            need_columns(str(found.path), reader.fieldnames, COLUMNS)
            for line in reader:
                _add_line(found, line, seen)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise found.complain("", f"cannot be read: {error}") from error


def _add_line(found: _List, line: dict[str, str | None], as_of: date) -> None:
    if None in line or None in line.values():
        raise found.complain(line["SKU"] or "", "its line is cut off; allowed: a file that is whole")
    attributes = {name: line[column] for name, (column, _) in MACHINE.items()}
    attributes |= {
        "regionCode": line["Region Code"],
        "instanceType": line["Instance Type"],
        "volumeApiName": line["Volume API Name"],
    }
    found.regions.setdefault(line["Region Code"] or "")
    key = _key(attributes, line["Product Family"] or "", found.rows)
    if key is not None and line["TermType"] == "OnDemand":
        found.add(key, line["PricePerUnit"] or "", line["Currency"] or "", as_of)


def _read_json(found: _List, as_of: date | None) -> None:
    try:
        import ijson
    except ImportError as error:
        raise MissingError(f"ijson: not installed; `{INSTALL}` installs it") from error
    try:
        with found.path.open("rb") as file:
            offer, day = (_first(ijson, file, name) for name in ("offerCode", "publicationDate"))
            seen = as_of or _published(found, offer, day)
            skus = dict(_products(found, ijson.kvitems(_again(file), "products")))
            for sku, terms in ijson.kvitems(_again(file), "terms.OnDemand"):
                if sku in skus:
                    _add_terms(found, skus[sku], terms, seen)
    except (OSError, UnicodeDecodeError, ijson.JSONError, AttributeError, TypeError) as error:
        raise found.complain("", f"cannot be read: {error}") from error


def _first(ijson: Any, file: IO[bytes], name: str) -> str | None:
    """A text near the file's beginning, without reading on."""
    return next(iter(ijson.items(_again(file), name)), None)


def _again(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _products(found: _List, products: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, Key]]:
    for sku, product in products:
        attributes = product.get("attributes", {})
        found.regions.setdefault(attributes.get("regionCode", ""))
        key = _key(attributes, product.get("productFamily", ""), found.rows)
        if key is not None:
            yield sku, key


def _add_terms(found: _List, key: Key, terms: dict[str, Any], as_of: date) -> None:
    for term in terms.values():
        for dimension in term.get("priceDimensions", {}).values():
            for currency, usd in dimension.get("pricePerUnit", {}).items():
                found.add(key, usd, currency, as_of)


def _published(found: _List, offer: str | None, day: str | None) -> date:
    if offer != OFFER or day is None:
        message = f"is no price list of {OFFER}; allowed: its index.json or index.csv"
        raise found.complain("", message)
    try:
        return datetime.fromisoformat(day).date()
    except ValueError as error:
        raise found.complain("publicationDate", f"{day!r}; allowed: a day") from error
