from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from moto import mock_aws

from clusterlab.course.preflight.capacity import NAME, PROBE, look
from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.reaper.cloud import Cloud
from tests.clusterlab.course.preflight.conftest import Make, one
from tests.clusterlab.course.preflight.test_peak import machine
from tests.clusterlab.course.preflight.test_quota import accepting


@pytest.fixture
def emulated(session: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield Cloud(session=session)


def here(name: str) -> object:
    return dataclasses.replace(machine(name, "1"), region="us-east-1")


def test_machines_that_are_offered_in_the_class_s_zones_pass(make: Make, emulated: Cloud) -> None:
    [check] = look(make(), emulated)
    assert (check.verdict, check.seen.partition(";")[0]) == (
        Verdict.PASS,
        "us-east-1: 2 machines offered in the zones us-east-1a, us-east-1b",
    )


def test_one_that_is_not_offered_warns_where_the_lab_has_another(make: Make, emulated: Cloud) -> None:
    [check] = look(accepting(make(), here("g6.xlarge"), here("g99.xlarge")), emulated)
    assert (check.name, check.verdict, check.seen.endswith(": g99.xlarge")) == (NAME, Verdict.WARN, True)


def test_a_lab_for_which_nothing_is_offered_fails(make: Make, emulated: Cloud) -> None:
    found = list(look(accepting(make(), here("g99.xlarge")), emulated))
    assert [check.verdict for check in found] == [Verdict.WARN, Verdict.FAIL]
    assert found[1].seen == "toy: none of its machines is offered (aws g99.xlarge in us-east-1)"


def test_a_zone_that_has_no_such_machine_counts_not(make: Make, emulated: Cloud) -> None:
    network = {"cidr": "10.60.0.0/16", "zones": ["z"], "ssh_from": ["192.0.2.0/24"]}
    assert [check.verdict for check in look(make(network=network), emulated)] == [Verdict.WARN, Verdict.FAIL]


def test_a_lab_may_still_go_to_another_cloud(make: Make, emulated: Cloud) -> None:
    found = look(accepting(make(), here("g99.xlarge"), machine("g2-standard-4", "1", cloud="gcp")), emulated)
    assert [check.verdict for check in found] == [Verdict.WARN]


def test_a_region_that_may_not_be_asked_is_no_pass_and_strands_nobody(make: Make, emulated: Cloud) -> None:
    refuse(emulated, "DescribeInstanceTypeOfferings")
    [check] = look(make(), emulated)
    assert (check.verdict, check.seen) == (Verdict.WARN, "not asked: us-east-1: UnauthorizedOperation: no")


def test_what_the_catalog_has_nowhere_is_told(make: Make, emulated: Cloud) -> None:
    subject = make()
    lost = dataclasses.replace(subject.works[0], machines=(), missing=("H100:8: the catalog has no such machine",))
    [check] = look(dataclasses.replace(subject, works=(lost,)), emulated)
    assert (check.verdict, check.seen) == (Verdict.FAIL, "toy accepts H100:8: the catalog has no such machine")


def probed(make: Make, emulated: Cloud) -> Check:
    return one(look(make(), emulated, probe=True), PROBE)


def test_a_dry_run_launches_nothing_and_says_what_ec2_would(make: Make, emulated: Cloud) -> None:
    check = probed(make, emulated)
    assert (check.verdict, "g5.xlarge" in check.seen) == (Verdict.PASS, True)
    assert emulated.client("ec2", "us-east-1").describe_instances()["Reservations"] == []


def test_a_machine_that_ec2_refuses_fails_the_dry_run(make: Make, emulated: Cloud) -> None:
    refuse(emulated, "RunInstances")
    check = probed(make, emulated)
    assert (check.verdict, "g6.xlarge: UnauthorizedOperation: no" in check.seen) == (Verdict.FAIL, True)


def refuse(cloud: Cloud, operation: str) -> None:
    def answer(**_: object) -> tuple[object, dict[str, object]]:
        return SimpleNamespace(status_code=403), {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}

    cloud.client("ec2", "us-east-1").meta.events.register(f"before-call.ec2.{operation}", answer)
