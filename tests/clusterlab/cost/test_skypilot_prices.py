from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import Catalog, Kind
from clusterlab.cost.quote import Quotes
from clusterlab.cost.skypilot_prices import read
from clusterlab.errors import InputError

CATALOG = Catalog.load()
AWS = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone
g6.xlarge,L4,1.0,4.0,16.0,,0.8048,0.4,us-east-1,use1-az1
g6.xlarge,L4,1.0,4.0,16.0,,0.8048,0.3,us-east-1,use1-az2
g6.xlarge,L4,1.0,4.0,16.0,,0.9,,us-west-2,usw2-az1
g6.xlarge,L4,1.0,4.0,16.0,,0.9,nan,moon-1,moon1-az1
x9.large,,,4.0,16.0,,1,,us-east-1,use1-az1
"""
GCP = """InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-a,0.73948,0.36975
a2-highgpu-8g,96.0,680.0,,,,us-central1,us-central1-a,5.91582,2.958
n2-standard-4,4.0,16.0,,,,us-central1,us-central1-a,0.19424,0.09
,,,A100,1.0,,us-central1,us-central1-a,2.9339,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SkyPilot catalog that was fetched on the 20th of November 2026, in UTC."""
    for cloud, text in {"aws": AWS, "gcp": GCP}.items():
        path = tmp_path / "v8" / cloud / "vms.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        os.utime(path, (1795132800, 1795132800))
    return tmp_path / "v8"


def prices(quotes: Quotes, cloud: str, region: str, name: str) -> tuple[Decimal | None, Decimal | None]:
    quote = quotes[Kind.MACHINE, cloud, region, name]
    return quote.on_demand_usd, quote.spot_usd


def test_a_region_has_the_lowest_price_of_its_zones(folder: Path) -> None:
    quotes = read(folder, CATALOG, as_of=None)
    assert prices(quotes, "aws", "us-east-1", "g6.xlarge") == (Decimal("0.8048"), Decimal("0.3"))
    assert prices(quotes, "aws", "us-west-2", "g6.xlarge") == (Decimal("0.9"), None)


def test_only_rows_of_the_catalog_are_read(folder: Path) -> None:
    assert {key[3] for key in read(folder, CATALOG, as_of=None)} == {"g6.xlarge", "a2-highgpu-1g", "n2-standard-4"}


def test_google_clouds_accelerators_are_added_to_their_machines(folder: Path) -> None:
    quotes = read(folder, CATALOG, as_of=None)
    assert prices(quotes, "gcp", "us-central1", "a2-highgpu-1g") == (Decimal("3.67338"), None)
    assert prices(quotes, "gcp", "us-central1", "n2-standard-4") == (Decimal("0.19424"), Decimal("0.09"))
    # Eight A100 have no price there, so the machine with them has none.
    assert (Kind.MACHINE, "gcp", "us-central1", "a2-highgpu-8g") not in quotes


def test_the_day_is_that_on_which_the_file_was_fetched_or_the_one_that_is_given(folder: Path) -> None:
    assert {quote.as_of for quote in read(folder, CATALOG, as_of=None).values()} == {date(2026, 11, 20)}
    assert {quote.as_of for quote in read(folder, CATALOG, as_of=date(2026, 1, 2)).values()} == {date(2026, 1, 2)}
    sources = {quote.source for quote in read(folder, CATALOG, as_of=None).values()}
    assert sources == {f"{cloud} list; SkyPilot catalog v8/{cloud}/vms.csv" for cloud in ("aws", "gcp")}


def test_a_folder_without_a_cloud_of_the_catalog_says_what_it_must_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no prices; allowed: a folder with aws/vms.csv, gcp/vms.csv, azure/vms"):
        read(tmp_path, CATALOG, as_of=None)


FAULTS = {
    "column": (("Price,SpotPrice", "Cost,SpotPrice"), r"vms.csv: lacks the columns Price; allowed: a table that has"),
    "price": (("0.8048,0.4", "cheap,0.4"), r"vms.csv:2: Price: 'cheap'; allowed: a price in USD from 0, or empty"),
    "negative": (("0.8048,0.4", "0.8048,-1"), r"vms.csv:2: SpotPrice: '-1'; allowed"),
    "cut off": (
        (",moon-1,moon1-az1\nx9.large,,,4.0,16.0,,1,,us-east-1,use1-az1\n", ""),
        r"vms.csv:5: has not 10 cells",
    ),
    "quotes": (("g6.xlarge,L4", '"g6.xlarge,L4'), r"vms.csv: cannot be read: unexpected end of data"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_file_is_named_with_its_line(folder: Path, change: tuple[str, str], message: str) -> None:
    (folder / "aws" / "vms.csv").write_text(AWS.replace(*change, 1))
    with pytest.raises(InputError, match=message):
        read(folder, CATALOG, as_of=None)
