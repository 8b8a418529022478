from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import COLUMNS, DEVICES, PATH, Catalog, Kind, Row, peak_tflops_of
from clusterlab.errors import InputError
from tests.clusterlab.conftest import spoil


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.csv"
    path.write_text(PATH.read_text())
    return path


def test_the_catalog_loads_and_has_rows_of_each_kind() -> None:
    assert {row.kind for row in Catalog.load().rows} == set(Kind)


def test_each_row_of_a_cloud_has_a_date_a_source_and_a_place() -> None:
    for row in Catalog.load().rows:
        assert row.source
        assert row.cloud == "local" or row.region, row
        priced = (row.on_demand_usd, row.spot_usd) != (None, None)
        assert row.cloud == "local" or priced == (row.as_of is not None), row


def test_each_machine_of_a_cloud_has_its_disk_and_egress() -> None:
    catalog = Catalog.load()
    for row in catalog.rows:
        if row.kind is Kind.MACHINE:
            assert catalog.beside(Kind.DISK, row)
            assert catalog.beside(Kind.EGRESS, row)


def test_no_price_stands_twice() -> None:
    keys = [(row.kind, row.cloud, row.region, row.name) for row in Catalog.load().rows]
    assert len(keys) == len(set(keys))


def test_this_machine_costs_nothing() -> None:
    assert Catalog.load().local().on_demand_usd == Decimal(0)


def test_an_empty_price_is_unknown() -> None:
    row = Catalog.load().machines(accelerator="T4", count=1)[0]
    assert row.usd(spot=False) == Decimal("0.526")
    assert row.usd(spot=True) is None


def test_a_machine_has_exactly_the_accelerators_and_at_least_the_rest() -> None:
    catalog = Catalog.load()

    def names(count: int, **least: Decimal) -> set[str]:
        return {row.name for row in catalog.machines(accelerator="A100", count=count, **least)}

    assert names(1) == {"a2-highgpu-1g", "gpu_1x_a100_sxm4"}
    assert names(8) == {"p4d.24xlarge", "a2-highgpu-8g", "Standard_ND96asr_v4"}
    assert names(1, min_memory_gib=Decimal(86)) == names(1, min_vcpus=Decimal(13)) == {"gpu_1x_a100_sxm4"}
    assert names(1, min_memory_gib=Decimal(201)) == names(1, min_vcpus=Decimal(31)) == set()


def test_each_machine_with_an_accelerator_has_what_a_fit_needs() -> None:
    for row in Catalog.load().rows:
        if row.accelerator:
            assert row.accelerator_memory_gib, row
            assert row.accelerator_peak_tflops, row
            assert row.accelerator_gb_per_second, row
            assert row.memory_gib, row
            assert row.vcpus, row
            assert row.network_gbps or row.cloud in ("lambda", "runpod"), row


def test_one_accelerator_has_one_peak_and_one_memory() -> None:
    catalog = Catalog.load()
    for name in catalog.accelerators():
        facts = {(row.accelerator_peak_tflops, row.accelerator_memory_gib) for row in catalog.with_accelerator(name)}
        assert len(facts) == 1, name


def test_an_accelerator_is_found_however_many_a_machine_has() -> None:
    catalog = Catalog.load()
    assert {row.accelerator_count for row in catalog.with_accelerator("A100")} == {1, 8}
    assert catalog.with_accelerator("K80") == catalog.with_accelerator("") == ()


PEAKS = {
    "Tesla T4": "65",
    "NVIDIA A10": "125",
    "NVIDIA A10G": "70",
    "NVIDIA L4": "121",
    "NVIDIA L40S": "362",
    "NVIDIA A100-SXM4-40GB": "312",
    "A100-SXM4-40GB": "312",
    "NVIDIA A100-PCIE-40GB": "312",
    "NVIDIA A100-SXM4-80GB": "312",
    "NVIDIA A100 80GB PCIe": "312",
    "NVIDIA H100 80GB HBM3": "989",
    "NVIDIA H200": "989",
}


@pytest.mark.parametrize(("device_name", "tflops"), PEAKS.items())
def test_a_device_has_its_peak_by_what_torch_calls_it(device_name: str, tflops: str) -> None:
    assert peak_tflops_of(device_name) == Decimal(tflops)


@pytest.mark.parametrize("device_name", ["", "cpu", "NVIDIA L40", "NVIDIA A16", "NVIDIA H100 PCIe", "NVIDIA H100 NVL"])
def test_the_peak_of_another_device_is_unknown(device_name: str) -> None:
    assert peak_tflops_of(device_name) is None


def test_each_accelerator_of_the_catalog_has_a_device() -> None:
    assert set(DEVICES) == set(Catalog.load().accelerators())


CLOUDS = ("aws", "gcp", "azure", "lambda", "runpod")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_is_priced_in_several_places_with_disks_and_egress(cloud: str) -> None:
    rows = [row for row in Catalog.load().rows if row.cloud == cloud]
    for kind in Kind:
        assert len({row.region for row in rows if row.kind is kind and row.source}) >= 2
    assert any(row.accelerator and row.on_demand_usd for row in rows)


AWS = [row for row in Catalog.load().rows if (row.kind, row.cloud) == (Kind.MACHINE, "aws")]


@pytest.mark.parametrize("row", AWS, ids=lambda row: f"{row.name} {row.region}")
def test_a_machine_of_aws_is_as_ec2_describes_it_and_is_offered_there(row: Row) -> None:
    ec2 = pytest.importorskip("moto.ec2.models.instance_types")
    told = ec2.INSTANCE_TYPES[row.name]
    assert row.vcpus == told["VCpuInfo"]["DefaultVCpus"]
    assert row.memory_gib == Decimal(told["MemoryInfo"]["SizeInMiB"]) / 1024
    gpus = told.get("GpuInfo", {}).get("Gpus", [])
    assert [(gpu["Name"], gpu["Count"]) for gpu in gpus] == (
        [(row.accelerator.removesuffix("-80GB"), row.accelerator_count)] if row.accelerator else []
    )
    for gpu in gpus:
        # EC2 says what is left of a card with error correction: 22.35 of the 24 GiB of an L4.
        share = Decimal(gpu["MemoryInfo"]["SizeInMiB"]) / 1024 / (row.accelerator_memory_gib or 1)
        assert Decimal("0.93") < share <= 1
    assert row.name in {offering["InstanceType"] for offering in ec2.INSTANCE_TYPE_OFFERINGS["region"][row.region]}


FAULTS = {
    "peak": ("T4,1,16,65", "T4,1,16,fast", ":6: accelerator_peak_tflops: 'fast'; allowed: a number from 0"),
    "price": ("hour,0.526", "hour,cheap", ":6: on_demand_usd: 'cheap'; allowed: a number from 0"),
    "negative": ("hour,0.526", "hour,-1", ":6: on_demand_usd: '-1'; allowed"),
    "no number": ("hour,0.526", "hour,NaN", ":6: on_demand_usd: 'NaN'; allowed"),
    "kind": (
        "machine,aws,us-east-1,g4dn",
        "engine,aws,us-east-1,g4dn",
        ":6: kind: 'engine'; allowed: machine, disk, egress",
    ),
    "unit": ("hour,0.526", "day,0.526", ":6: unit: 'day'; allowed: hour"),
    "count": ("T4,1,16", "T4,one,16", ":6: accelerator_count: 'one'; allowed: a whole number"),
    "date": ("hour,0.526,,2026-09-06", "hour,0.526,,yesterday", ":6: as_of: 'yesterday'; allowed: a day"),
    "no date": ("hour,0.526,,2026-09-06", "hour,0.526,,", ":6: as_of: missing"),
    "too many cells": ("hour,0.526,", "hour,0.526,,", "more cells than columns"),
    "columns": ("kind,cloud", "kind,clouds", f":1: wrong columns; allowed: {','.join(COLUMNS)}"),
    "quotes": ("g4dn.xlarge", '"g4dn.xlarge', "cannot be read"),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_row_is_named_with_file_line_and_column(copy: Path, old: str, new: str, message: str) -> None:
    spoil(copy, old, new)
    with pytest.raises(InputError) as error:
        Catalog.load(copy)
    assert str(copy) in str(error.value)
    assert message in str(error.value)


def test_a_catalog_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Catalog.load(tmp_path / "none.csv")
