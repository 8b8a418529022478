"""Prices out of a SkyPilot catalog: the files `<cloud>/vms.csv` that SkyPilot fetches to `~/.sky/catalogs/v8`.

A region has a price for each of its zones; the lowest counts, as SkyPilot chooses. Google Cloud's machines stand there
without their accelerators, which have rows of their own, so the two are added up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from clusterlab.catalog import LOCAL, Catalog, Kind, Row
from clusterlab.cost.quote import Key, Quote, Quotes, need_columns, price, wanted
from clusterlab.errors import InputError, Problem

FILE = "vms.csv"
COLUMNS = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region")
APART = ("gcp",)
"""Clouds whose accelerators are priced apart from their machines."""

Line = dict[str, str]


def read(folder: Path, catalog: Catalog, *, as_of: date | None) -> Quotes:
    """The prices of the catalog's machines; a file's day is that of its last change where `as_of` is None.

    Raises:
        InputError: there is no file of a cloud of the catalog, or one of them cannot be read.
    """
    clouds = dict.fromkeys(row.cloud for row in catalog.rows if row.cloud != LOCAL)
    paths = {cloud: folder / cloud / FILE for cloud in clouds}
    there = {cloud: path for cloud, path in paths.items() if path.is_file()}
    if not there:
        message = f"has no prices; allowed: a folder with {', '.join(f'{cloud}/{FILE}' for cloud in clouds)}"
        raise InputError(Problem(path=str(folder), message=message))
    quotes: dict[Key, Quote] = {}
    for cloud, path in there.items():
        rows = {key: row for key, row in wanted(catalog, cloud).items() if row.kind is Kind.MACHINE}
        seen = as_of or datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        quotes |= _quotes(path, rows, as_of=seen, source=f"{cloud} list; SkyPilot catalog {folder.name}/{cloud}/{FILE}")
    return quotes


def _quotes(path: Path, rows: dict[Key, Row], *, as_of: date, source: str) -> dict[Key, Quote]:
    found: dict[Key, Quote] = {}
    parts: dict[tuple[str, str, int], Quote] = {}
    for place, line in _lines(path):
        on_demand = price(line["Price"], path=place, key="Price")
        spot = price(line["SpotPrice"], path=place, key="SpotPrice")
        quote = Quote(on_demand_usd=on_demand, spot_usd=spot, as_of=as_of, source=source)
        cloud, region = path.parent.name, line["Region"]
        key = (Kind.MACHINE, cloud, region, line["InstanceType"])
        if key in rows:
            found[key] = quote.cheaper(found.get(key, quote))
        elif cloud in APART and not line["InstanceType"]:
            part = (region, line["AcceleratorName"], _count(line["AcceleratorCount"], place))
            parts[part] = quote.cheaper(parts.get(part, quote))
    if path.parent.name in APART:
        return dict(_whole(found, rows, parts))
    return found


def _whole(
    found: dict[Key, Quote], rows: dict[Key, Row], parts: dict[tuple[str, str, int], Quote]
) -> Iterator[tuple[Key, Quote]]:
    """Machines with their accelerators; without a price of these there is none of the whole."""
    for key, quote in found.items():
        row = rows[key]
        if not row.accelerator:
            yield key, quote
        elif (part := parts.get((row.region, row.accelerator, row.accelerator_count))) is not None:
            yield (
                key,
                Quote(
                    on_demand_usd=_sum(quote.on_demand_usd, part.on_demand_usd),
                    spot_usd=_sum(quote.spot_usd, part.spot_usd),
                    as_of=quote.as_of,
                    source=quote.source,
                ),
            )


def _lines(path: Path) -> Iterator[tuple[str, Line]]:
    """Each line with its place."""
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file, strict=True)
            need_columns(str(path), reader.fieldnames, COLUMNS)
            yield from _complete(path, reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error


def _complete(path: Path, reader: csv.DictReader[str]) -> Iterable[tuple[str, Line]]:
    for line in reader:
        place = f"{path}:{reader.line_num}"
        if None in line or None in line.values():
            message = f"has not {len(reader.fieldnames or ())} cells; allowed: a file that is whole"
            raise InputError(Problem(path=place, message=message))
        yield place, line


def _count(text: str, place: str) -> int:
    count = price(text, path=place, key="AcceleratorCount")
    return int(count or 0)


def _sum(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return None if first is None or second is None else first + second
