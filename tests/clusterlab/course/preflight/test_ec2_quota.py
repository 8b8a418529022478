from __future__ import annotations

import pytest

from clusterlab.catalog import Catalog, Kind
from clusterlab.course.preflight.ec2_quota import quota_of

CODES = {
    ("g6.xlarge", False): "L-DB2E81BA",
    ("g4dn.12xlarge", True): "L-3819A6DF",
    ("vt1.3xlarge", False): "L-DB2E81BA",
    ("p4d.24xlarge", False): "L-417A185B",
    ("p5.48xlarge", False): "L-417A185B",
    ("p4de.24xlarge", True): "L-7212CCBC",
    ("p5en.48xlarge", True): "L-C4BD4855",
    ("m5.large", False): "L-1216C47A",
    ("c7i-flex.large", True): "L-34B43A08",
}


@pytest.mark.parametrize(("machine", "code"), CODES.items(), ids=lambda each: str(each))
def test_each_family_counts_in_its_quota(machine: tuple[str, bool], code: str) -> None:
    found = quota_of(machine[0], spot=machine[1])
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("name", ["trn1.2xlarge", "inf2.xlarge", "x1.16xlarge", "mac1.metal", "u-6tb1.metal", "odd"])
def test_no_family_is_taken_for_another(name: str) -> None:
    assert quota_of(name, spot=False) is None


def test_p6_on_the_spot_market_is_not_guessed() -> None:
    assert quota_of("p6-b200.48xlarge", spot=True) is None


def test_each_machine_of_the_catalog_in_aws_has_one() -> None:
    machines = {row.name for row in Catalog.load().rows if row.kind is Kind.MACHINE and row.cloud == "aws"}
    assert machines
    assert [name for name in machines if quota_of(name, spot=False) is None] == []
