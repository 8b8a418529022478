from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clusterlab.catalog import Catalog
from clusterlab.course.rates import INSTANCE, LAUNCH_TEMPLATE, NODE_GROUP, VOLUME, Rate, machines, rate

HERE = "us-east-1"


def priced(kind: str, region: str = HERE, **inputs: Any) -> Rate | None:
    return rate(kind, inputs, region, Catalog.load())


def test_machine_costs_itself_and_its_disk() -> None:
    found = priced(INSTANCE, instanceType="m5.large", rootBlockDevice={"volumeType": "gp3", "volumeSize": 73.0})
    assert found == Rate(usd=Decimal("0.096") + Decimal("0.08") * 73 / 730, what="1 x m5.large + 73 GB gp3")


def test_disk_of_unknown_size_makes_the_machine_s_price_unknown() -> None:
    found = priced(INSTANCE, instanceType="m5.large")
    assert found == Rate(usd=None, what="1 x m5.large + unknown GB unknown")


def test_unknown_type_is_unknown_and_never_nothing() -> None:
    found = priced(INSTANCE, instanceType="m5.larg", rootBlockDevice={"volumeType": "gp3", "volumeSize": 8})
    assert found is not None
    assert found.usd is None


def test_price_is_of_its_region() -> None:
    disk = {"volumeType": "gp3", "volumeSize": 8}
    found = priced(INSTANCE, "eu-west-1", instanceType="m5.large", rootBlockDevice=disk)
    assert found is not None
    assert found.usd is None


def test_node_group_costs_what_it_wants_now() -> None:
    group: dict[str, Any] = {"instanceTypes": ["g6.xlarge"], "scalingConfig": {"desiredSize": 2.0, "maxSize": 8}}
    assert priced(NODE_GROUP, **group) == Rate(usd=Decimal("1.6096"), what="2 x g6.xlarge")


def test_node_group_at_zero_costs_nothing() -> None:
    assert priced(NODE_GROUP, instanceTypes=["g6.xlarge"], scalingConfig={"desiredSize": 0, "maxSize": 8}) is None


def test_volume_costs_its_gb_by_the_month() -> None:
    assert priced(VOLUME, type="gp3", size=730) == Rate(usd=Decimal("0.08"), what="730 GB gp3")


@pytest.mark.parametrize("kind", ["aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip", "aws:efs/fileSystem:FileSystem"])
def test_billed_but_not_in_the_catalog_is_unknown(kind: str) -> None:
    assert priced(kind) == Rate(usd=None, what="not in the catalog")


@pytest.mark.parametrize("kind", ["aws:iam/role:Role", "aws:ec2/vpc:Vpc", LAUNCH_TEMPLATE])
def test_what_is_not_billed_has_no_rate(kind: str) -> None:
    assert priced(kind, instanceType="p5.48xlarge") is None


def test_every_type_that_a_node_group_may_take_is_told() -> None:
    found = machines(NODE_GROUP, {"instanceTypes": ["g6.xlarge", "p5.48xlarge"], "scalingConfig": {"desiredSize": 1}})
    assert [(each.name, each.count) for each in found] == [("g6.xlarge", 1), ("p5.48xlarge", 0)]


def test_machine_of_google_is_priced_with_its_disk() -> None:
    boot = {"initializeParams": {"type": "pd-balanced", "size": 73}}
    found = priced("gcp:compute/instance:Instance", "us-east1", machineType="g2-standard-4", bootDisk=boot)
    assert found == Rate(usd=Decimal("0.708") + Decimal("0.01"), what="1 x g2-standard-4 + 73 GB pd-balanced")
