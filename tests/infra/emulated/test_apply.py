from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from clusterlab.errors import InputError
from infra.emulated.apply import Applied, apply
from tests.infra.emulated.conftest import HERE

pytestmark = pytest.mark.usefixtures("endpoint")

TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def small() -> None:
    vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16", enable_dns_hostnames=True, tags={"Name": "net"})
    aws.ec2.Subnet("one", vpc_id=vpc.id, cidr_block="10.60.1.0/24", map_public_ip_on_launch=True)
    pulumi.export("vpc", vpc.id)
    pulumi.export("key", pulumi.Output.secret("hush"))


def applied(program: Callable[[], None]) -> Applied:
    return apply(program, region=HERE)


def refused(program: Callable[[], None]) -> str:
    with pytest.raises(InputError) as caught:
        applied(program)
    return str(caught.value)


def test_what_the_program_registers_is_made_and_what_it_exports_comes_back(session: Any) -> None:
    found = applied(small)
    (vpc,) = session.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["net"]}])["Vpcs"]
    (subnet,) = session.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])[
        "Subnets"
    ]
    assert found.exports == {"vpc": vpc["VpcId"], "key": "hush"}
    assert found.made == (
        ("aws:ec2/vpc:Vpc", "net", vpc["VpcId"]),
        ("aws:ec2/subnet:Subnet", "one", subnet["SubnetId"]),
    )
    assert subnet["MapPublicIpOnLaunch"] is True


def test_a_resource_is_made_where_its_provider_is(session: Any) -> None:
    def program() -> None:
        there = pulumi.ResourceOptions(provider=aws.Provider("there", region="eu-west-1"))
        aws.ec2.Vpc("far", cidr_block="10.61.0.0/16", opts=there)
        aws.ec2.Vpc("near", cidr_block="10.62.0.0/16")

    applied(program)
    filters = [{"Name": "cidr", "Values": ["10.61.0.0/16", "10.62.0.0/16"]}]
    for region, cidr in (("eu-west-1", "10.61.0.0/16"), (HERE, "10.62.0.0/16")):
        (found,) = session.client("ec2", region).describe_vpcs(Filters=filters)["Vpcs"]
        assert found["CidrBlock"] == cidr


def test_an_argument_that_aws_does_not_have_names_the_resource() -> None:
    def program() -> None:
        rule: Any = {"id": "old", "status": "Enabled", "expiration": {"dayz": 3}, "filter": {"prefix": ""}}
        aws.s3.BucketLifecycleConfiguration("scratch", bucket="b", rules=[rule])

    said = refused(program)
    assert said.startswith("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration: scratch: ")
    assert "rules[0].expiration.dayz: AWS takes no such argument; allowed: Date, Days" in said


def test_a_value_that_aws_does_not_have_names_the_resource() -> None:
    def program() -> None:
        aws.ecr.Repository("images", image_tag_mutability="IMUTABLE")

    said = refused(program)
    assert said.startswith("aws:ecr/repository:Repository: images: ")
    assert "imageTagMutability: 'IMUTABLE'; allowed: IMMUTABLE, " in said


def test_an_id_of_nothing_names_the_resource() -> None:
    def program() -> None:
        aws.ec2.Subnet("lost", vpc_id="vpc-00000000", cidr_block="10.0.0.0/24")

    assert refused(program).startswith("aws:ec2/subnet:Subnet: lost: ")
    assert "InvalidVpcID.NotFound" in refused(program)


def test_addresses_outside_of_the_network_name_the_subnet() -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("net", cidr_block="10.60.0.0/16")
        aws.ec2.Subnet("outside", vpc_id=vpc.id, cidr_block="10.99.0.0/24")

    assert refused(program).startswith("aws:ec2/subnet:Subnet: outside: ")


def test_a_policy_that_is_none_names_the_resource() -> None:
    def program() -> None:
        aws.iam.Policy("read", policy=document(**READ | {"Effect": "Alow"}))

    assert refused(program).startswith("aws:iam/policy:Policy: read: ")
    assert "MalformedPolicyDocument" in refused(program)


def test_a_required_argument_that_is_missing_names_the_resource() -> None:
    def program() -> None:
        aws.kms.Alias("key", name="alias/key", target_key_id=pulumi.Output.from_input(None).apply(lambda none: none))

    assert refused(program).startswith("aws:kms/alias:Alias: key: ")


def test_a_type_that_nothing_here_makes_is_an_error() -> None:
    def program() -> None:
        aws.sfn.Activity("unknown")

    assert refused(program) == "aws:sfn/activity:Activity: unknown: nothing in infra/emulated/ makes this type"


def test_a_question_that_nothing_here_answers_is_an_error() -> None:
    def program() -> None:
        aws.get_billing_service_account_output().apply(print)

    assert "aws:index/getBillingServiceAccount:getBillingServiceAccount: nothing here answers it" in refused(program)


def test_nothing_is_made_after_a_problem(session: Any) -> None:
    def program() -> None:
        lost = aws.ec2.Subnet("lost", vpc_id="vpc-00000000", cidr_block="10.0.0.0/24")
        aws.s3.Bucket("after", bucket="after-a-problem", tags={"subnet": lost.id})

    assert refused(program).count("\n") == 0
    assert "after-a-problem" not in {each["Name"] for each in session.client("s3").list_buckets()["Buckets"]}


def test_what_moto_has_not_is_held_against_aws_s_models_and_told() -> None:
    def program() -> None:
        aws.costexplorer.CostAllocationTag("course", tag_key="course", status="Active")

    token = "aws:costexplorer/costAllocationTag:CostAllocationTag"
    assert applied(program).not_emulated == (f"{token} course: ce update_cost_allocation_tags_status",)

    def wrong() -> None:
        aws.costexplorer.CostAllocationTag("course", tag_key="course", status="On")

    assert "status: 'On'; allowed: Active, Inactive" in refused(wrong)


@pytest.mark.parametrize(
    "given", ["", "https://ec2.us-east-1.amazonaws.com", "http://10.77.0.1:5000", "127.0.0.1:5000"]
)
def test_any_cloud_but_one_of_this_machine_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", given)
    assert refused(small).startswith(f"AWS_ENDPOINT_URL: {given or 'not set'}; allowed: a loopback address")
