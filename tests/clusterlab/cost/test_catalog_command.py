from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clusterlab.catalog import PATH, Catalog
from clusterlab.cli import app
from tests.clusterlab.cost.test_skypilot_prices import AWS, GCP

COLUMNS = {"COLUMNS": "200"}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.csv"
    path.write_text(PATH.read_text())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for cloud, text in {"aws": AWS, "gcp": GCP}.items():
        path = tmp_path / "v8" / cloud / "vms.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "v8"


def update(folder: Path, catalog: Path, *options: str) -> tuple[int, str, str]:
    arguments = ["catalog", "update", "--from", str(folder), "--catalog", str(catalog), "--as-of", "2026-11-20"]
    result = CliRunner().invoke(app, [*arguments, *options], env=COLUMNS)
    return result.exit_code, result.stdout, result.stderr


def l4(catalog: Path, region: str) -> Decimal | None:
    rows = Catalog.load(catalog).rows
    return next(row.on_demand_usd for row in rows if (row.region, row.name) == (region, "g6.xlarge"))


def test_a_dry_run_says_what_would_change_and_writes_nothing(folder: Path, catalog: Path) -> None:
    code, out, err = update(folder, catalog)
    assert (code, err) == (0, "")
    [line] = [line.split() for line in out.splitlines() if "g6.xlarge in us-west-2" in line and "demand" in line]
    assert line[-3:] == ["0.8048", "0.9", "+11.8%"]
    assert "kept, not in the list: aws m5.large in us-east-1, " in out
    assert "nothing written; --yes writes it" in out
    assert catalog.read_text() == PATH.read_text()


def test_yes_writes_only_the_rows_that_the_list_has(folder: Path, catalog: Path) -> None:
    code, out, _ = update(folder, catalog, "--yes")
    assert code == 0
    assert f"written to {catalog}" in " ".join(out.split())
    assert l4(catalog, "us-west-2") == Decimal("0.9")
    before, after = PATH.read_text().splitlines(), catalog.read_text().splitlines()
    assert len(before) == len(after)
    changed = {new.split(",")[3] for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {"g6.xlarge", "a2-highgpu-1g", "n2-standard-4"}
    code, out, _ = update(folder, catalog, "--yes")
    assert (code, out.splitlines()[0].split()[0]) == (0, "0")


def test_a_price_that_jumps_is_refused_until_it_is_accepted(folder: Path, catalog: Path) -> None:
    path = folder / "aws" / "vms.csv"
    path.write_text(AWS.replace("0.9,,us-west-2", "9,,us-west-2"))
    code, out, err = update(folder, catalog, "--yes")
    assert code == 2
    assert err.startswith(
        "aws g6.xlarge in us-west-2: on demand: 0.8048 USD becomes 9; allowed: up to 50% more or less"
    )
    assert "nothing written" in out
    assert catalog.read_text() == PATH.read_text()
    assert update(folder, catalog, "--yes", "--accept-jumps")[0] == 0
    assert l4(catalog, "us-west-2") == Decimal(9)


def test_the_changes_are_json_too(folder: Path, catalog: Path) -> None:
    code, out, _ = update(folder, catalog, "--json")
    document = json.loads(out)
    assert (code, document["written"]) == (0, False)
    change = next(each for each in document["changes"] if each["row"] == "aws g6.xlarge in us-west-2")
    [price] = change.pop("prices")
    assert change == {"row": "aws g6.xlarge in us-west-2", "kind": "machine", "outcome": "changed", "jumps": False}
    assert price == {"market": "on demand", "old_usd": "0.8048", "new_usd": "0.9", "percent": "+11.8%"}


def test_a_list_that_is_not_there_is_one_error(tmp_path: Path, catalog: Path) -> None:
    code, _, err = update(tmp_path / "none", catalog)
    assert (code, err.count("\n")) == (2, 1)
    assert "none: no such folder or file; allowed: a SkyPilot catalog, or AmazonEC2's index.json" in err
