"""Against moto's EC2."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from clusterlab.catalog import HOURS_PER_MONTH, Catalog
from clusterlab.cost.interval import Kind
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering import ec2
from clusterlab.metering.meter import meter
from clusterlab.metering.observation import Observation

TAGS = {"course": "llm-2026", "student": "ana", "lab": "qlora", "run": "r1"}
REGIONS = ["us-east-1", "us-west-2"]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "true")
    with mock_aws():
        yield boto3.Session(region_name="us-east-1")


def launch(session: boto3.Session, shape: str, region: str = "us-east-1", **tags: str) -> str:
    client = session.client("ec2", region_name=region)
    carried = [{"Key": key, "Value": value} for key, value in (TAGS | tags).items()]
    launched = client.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        InstanceType=shape,
        TagSpecifications=[{"ResourceType": kind, "Tags": carried} for kind in ("instance", "volume")],
    )
    identity: str = launched["Instances"][0]["InstanceId"]
    return identity


def look(session: Any, regions: list[str] = REGIONS) -> Observation:
    return ec2.observe(session, Catalog.load(), course="llm-2026", regions=regions, at=datetime.now(UTC))


def test_machines_and_disks_of_all_regions_are_seen_with_tags_and_prices(session: boto3.Session) -> None:
    here, there = launch(session, "g6.xlarge"), launch(session, "m5.large", region="us-west-2")
    seen = {each.resource_id: each for each in look(session).sightings}
    assert {here, there} <= seen.keys()
    assert seen[here].tags["student"] == "ana"
    assert seen[here].price.usd_per_hour == Decimal("0.8048")
    assert seen[here].end is None
    [disk] = [each for each in seen.values() if each.kind is Kind.DISK and each.region == "us-east-1"]
    client = session.client("ec2")
    size = client.describe_volumes(VolumeIds=[disk.resource_id])["Volumes"][0]
    assert disk.shape == f"{size['VolumeType']} {size['Size']} GB"
    if size["VolumeType"] == "gp3":
        assert disk.price.usd_per_hour == Decimal("0.08") * size["Size"] / HOURS_PER_MONTH


def test_other_courses_and_untagged_machines_are_not_this_course_s(session: boto3.Session) -> None:
    launch(session, "m5.large", course="other")
    session.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    assert look(session).sightings == ()


def test_a_machine_that_the_catalog_does_not_price_is_seen_without_a_price(session: boto3.Session) -> None:
    identity = launch(session, "x2iedn.32xlarge")
    [seen] = [each for each in look(session).sightings if each.resource_id == identity]
    assert seen.price.usd_per_hour is None


def test_a_stopped_machine_ends_and_its_disk_goes_on(session: boto3.Session, ledger: Ledger) -> None:
    identity = launch(session, "g6.xlarge")
    meter(ledger, look(session))
    session.client("ec2").stop_instances(InstanceIds=[identity])
    meter(ledger, look(session))
    by_kind = {each.kind: each for each in ledger.intervals()}
    ended = by_kind[Kind.COMPUTE].end
    assert ended is not None
    assert ended - by_kind[Kind.COMPUTE].start < timedelta(minutes=5)
    assert by_kind[Kind.DISK].end is None


def test_sky_start_of_a_stopped_machine_is_metered(session: boto3.Session, ledger: Ledger) -> None:
    """SkyPilot's policy is not asked for `sky start`; the cloud's own view shows it."""
    identity, client = launch(session, "g6.xlarge"), session.client("ec2")
    meter(ledger, look(session))
    client.stop_instances(InstanceIds=[identity])
    meter(ledger, look(session))
    client.start_instances(InstanceIds=[identity])
    metered = meter(ledger, look(session))
    assert [each.resource_id for each in metered.begun] == [identity]


def test_an_address_counts_from_when_it_was_first_seen_and_has_no_known_price(
    session: boto3.Session, ledger: Ledger
) -> None:
    client = session.client("ec2")
    made = client.allocate_address(Domain="vpc")["AllocationId"]
    client.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()])
    meter(ledger, look(session))
    meter(ledger, look(session))
    [use] = ledger.intervals()
    assert (use.kind, use.price_usd_per_hour, use.end) == (Kind.ADDRESS, None, None)
    client.release_address(AllocationId=made)
    meter(ledger, look(session))
    assert ledger.intervals()[0].end is not None


def test_a_region_that_does_not_answer_is_a_problem_and_ends_nothing(session: boto3.Session, ledger: Ledger) -> None:
    launch(session, "g6.xlarge")
    meter(ledger, look(session))

    class Broken:
        def client(self, service: str, *, region_name: str) -> Any:
            if region_name == "us-east-1":
                raise EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com")
            return session.client(service, region_name=region_name)

    metered = meter(ledger, look(Broken()))
    assert [problem.split(":")[0] for problem in metered.problems] == ["us-east-1"]
    assert all(each.end is None for each in ledger.intervals())


def test_all_regions_are_those_that_the_account_may_use(session: boto3.Session) -> None:
    assert {"us-east-1", "eu-west-1", "ap-south-1"} <= set(ec2.all_regions(session))
