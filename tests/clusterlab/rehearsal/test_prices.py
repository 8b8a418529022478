from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab import skypilot
from clusterlab.catalog import Catalog, Kind, Row
from clusterlab.errors import InputError
from clusterlab.rehearsal.prices import IMAGE_ID, write_skypilot_catalog

CATALOG = Catalog.load()
MACHINES = [
    row for row in CATALOG.rows if (row.kind, row.cloud) == (Kind.MACHINE, "aws") and row.on_demand_usd is not None
]

ASK = """
import json, sys
from sky import catalog
from sky.utils import accelerator_registry, resources_utils
asked = {}
for name, region in json.loads(sys.argv[1]):
    spot = [each for each in catalog.get_region_zones_for_instance_type(name, use_spot=True, clouds="aws")
            if each.name == region]
    asked[f"{name} {region}"] = {
        "usd": catalog.get_hourly_cost(name, False, region, None, clouds="aws"),
        "spot_usd": catalog.get_hourly_cost(name, True, region, None, clouds="aws") if spot else None,
        "size": catalog.get_vcpus_mem_from_instance_type(name, clouds="aws"),
        "accelerators": catalog.get_accelerators_from_instance_type(name, clouds="aws"),
        "zones": [zone.name for each in catalog.get_region_zones_for_instance_type(name, False, clouds="aws")
                  if each.name == region for zone in each.zones],
        "spot_zones": [zone.name for each in spot for zone in each.zones],
    }
tags = ("skypilot:custom-cpu-ubuntu", "skypilot:custom-gpu-ubuntu-cuda13")
images = {tag: catalog.get_image_id_from_tag(tag, region, clouds="aws") for tag in tags}
at_least_40 = sorted(accelerator_registry.get_devices_by_memory(40, plus=True))
print(json.dumps({"machines": asked, "images": images, "at_least_40": at_least_40}))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What SkyPilot reads back of our catalog, with no account and no network."""
    if skypilot.version() is None:
        pytest.skip(f"needs SkyPilot: `{skypilot.INSTALL}`")
    home = tmp_path_factory.mktemp("home")
    write_skypilot_catalog(CATALOG, home)
    machines = json.dumps([(row.name, row.region) for row in MACHINES])
    command = [sys.executable, "-c", ASK, machines]
    environment = skypilot.environment(home) | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("row", MACHINES, ids=lambda row: f"{row.name} {row.region}")
def test_skypilot_reads_each_machine_as_our_catalog_has_it(read: dict[str, Any], row: Row) -> None:
    machine = read["machines"][f"{row.name} {row.region}"]
    assert Decimal(str(machine["usd"])) == row.on_demand_usd
    assert Decimal(str(machine["spot_usd"])) == (row.on_demand_usd if row.spot_usd is None else row.spot_usd)
    assert machine["size"] == [row.vcpus, row.memory_gib]
    assert machine["accelerators"] == ({row.accelerator: row.accelerator_count} if row.accelerator else None)


def test_each_machine_stands_in_two_zones_so_that_one_can_be_full(read: dict[str, Any]) -> None:
    assert {len(machine["zones"]) for machine in read["machines"].values()} == {2}


def test_a_spot_price_that_is_unknown_counts_as_its_upper_bound(read: dict[str, Any]) -> None:
    unknown = [row for row in MACHINES if row.spot_usd is None]
    assert unknown
    for row in unknown:
        assert read["machines"][f"{row.name} {row.region}"]["spot_usd"] == float(row.on_demand_usd or 0)


def test_cpu_and_gpu_machines_boot_the_image_that_is_given(read: dict[str, Any]) -> None:
    assert set(read["images"].values()) == {IMAGE_ID}


def test_an_accelerator_can_be_asked_for_by_its_memory(read: dict[str, Any]) -> None:
    assert read["at_least_40"] == ["A100", "A100-80GB", "H100", "H200", "L40S"]


def one_machine(**changes: Any) -> Catalog:
    return Catalog(rows=(replace(MACHINES[0], **changes),))


def test_a_machine_whose_price_on_demand_is_unknown_is_left_out(tmp_path: Path) -> None:
    write_skypilot_catalog(one_machine(on_demand_usd=None), tmp_path)
    assert len((tmp_path / ".sky" / "catalogs" / "v8" / "aws" / "vms.csv").read_text().splitlines()) == 1


def test_skypilot_is_told_where_each_other_cloud_is_so_that_it_fetches_nothing(tmp_path: Path) -> None:
    write_skypilot_catalog(CATALOG, tmp_path)
    for cloud in {row.cloud for row in CATALOG.rows} - {"aws", "local"}:
        with (tmp_path / ".sky" / "catalogs" / "v8" / cloud / "vms.csv").open(newline="") as file:
            regions = [line["Region"] for line in csv.DictReader(file)]
        assert sorted(regions) == sorted({row.region for row in CATALOG.rows if row.cloud == cloud})


def test_a_region_whose_zones_are_unknown_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"region: 'moon-1': its zones are not known; allowed: us-east-1, "):
        write_skypilot_catalog(one_machine(region="moon-1"), tmp_path)
    assert not list(tmp_path.iterdir())
