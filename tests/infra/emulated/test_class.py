"""Every class's program, applied to the emulated account, and looked at by boto3."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from clusterlab.cluster import Cluster
from clusterlab.course.config import skypilot_config
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import Kind
from clusterlab.reaper.scan import scan
from clusterlab.rehearsal.account import OF_THE_CLASS
from clusterlab.rehearsal.prices import ZONES
from clusterlab.tags import LABEL
from infra.emulated.__main__ import apply_class
from infra.emulated.apply import Applied
from infra.emulated.mocks import ELSEWHERE
from infra.naming import LAB
from tests.infra.test_stack import CLASSES

KINDS = {
    "aws:ec2/launchTemplate:LaunchTemplate": Kind.LAUNCH_TEMPLATE,
    "aws:ec2/instance:Instance": Kind.INSTANCE,
    "aws:ec2/eip:Eip": Kind.ADDRESS,
    "aws:ebs/volume:Volume": Kind.VOLUME,
    "aws:efs/fileSystem:FileSystem": Kind.FILE_SYSTEM,
    "aws:ec2/securityGroup:SecurityGroup": Kind.SECURITY_GROUP,
}
"""What the reaper looks for of that which a program makes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Class:
    cluster: Cluster
    applied: Applied
    session: Any

    @property
    def exports(self) -> dict[str, Any]:
        return self.applied.exports

    def ids(self, *tokens: str) -> set[str]:
        return {number for token, _, number in self.applied.made if token in tokens}

    def client(self, service: str) -> Any:
        return self.session.client(service, self.exports["aws_region"])


@pytest.fixture(scope="module", params=CLASSES, ids=lambda path: path.stem)
def made(request: pytest.FixtureRequest, session: Any) -> Class:
    path: Path = request.param
    return Class(cluster=Cluster.load(path, to_provision=True), applied=apply_class(path), session=session)


def test_the_bucket_is_closed_versioned_encrypted_and_takes_tls_only(made: Class) -> None:
    s3, name = made.client("s3"), made.exports["aws_bucket"]
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert block
    assert all(block.values())
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    key = rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert made.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    denied = [each for each in policy["Statement"] if each["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in denied]


def test_the_public_subnets_lead_to_the_internet_and_lie_in_the_zones_of_a_rehearsal(made: Class) -> None:
    ec2 = made.client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [made.exports["aws_vpc_name"]]}])["Vpcs"]
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    tables = ec2.describe_route_tables(Filters=here)["RouteTables"]
    open_ = {
        link.get("SubnetId")
        for table in tables
        for link in table["Associations"]
        if any(route.get("GatewayId", "").startswith("igw-") for route in table["Routes"])
    }
    subnets = ec2.describe_subnets(Filters=here)["Subnets"]
    public = {each["SubnetId"] for each in subnets if each["MapPublicIpOnLaunch"]}
    assert ip_network(vpc["CidrBlock"]) == made.cluster.network.cidr
    assert public
    assert public == open_
    zones = {each["AvailabilityZoneId"] for each in subnets if each["SubnetId"] in public}
    assert zones >= set(ZONES[made.exports["aws_region"]])


def test_the_security_group_lets_in_ssh_from_known_networks_and_the_nodes_themselves(made: Class) -> None:
    names = [made.exports["aws_security_group_name"]]
    filters = [{"Name": "group-name", "Values": names}]
    (group,) = made.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    ranges = {
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), each["CidrIp"])
        for rule in group["IpPermissions"]
        for each in rule["IpRanges"]
    }
    inside = [rule for rule in group["IpPermissions"] if not rule["IpRanges"]]
    assert ranges == {("tcp", 22, 22, str(network)) for network in made.cluster.network.ssh_from}
    assert [rule["IpProtocol"] for rule in inside] == ["-1"]
    assert [each["GroupId"] for each in inside[0]["UserIdGroupPairs"]] == [group["GroupId"]]


def test_every_role_has_a_trust_and_something_that_it_may_do(made: Class) -> None:
    iam = made.client("iam")
    roles = made.ids("aws:iam/role:Role")
    assert made.exports["aws_remote_identity"] in roles
    for role in roles:
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust
        assert {each["Effect"] for each in trust["Statement"]} == {"Allow"}
        inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        assert inline or attached, role


def test_machines_get_the_node_role_by_a_profile_of_its_name(made: Class) -> None:
    name = made.exports["aws_remote_identity"]
    (role,) = made.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    assert role["RoleName"] == name


def test_the_reaper_finds_what_the_program_made_and_nothing_else_each_with_the_cost_tags(
    made: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What moto lacks is told at once.
    monkeypatch.setattr("clusterlab.reaper.cloud.RETRIES", None)
    regions = made.exports["aws_regions"]
    found = scan(Cloud(session=made.session), regions, Question(courses=frozenset({made.cluster.course})))
    assert found.failed == []
    wanted = {kind: made.ids(token) for token, kind in KINDS.items()}
    roots = {disk for each in found.resources if each.kind is Kind.INSTANCE for disk in each.disks}
    wanted[Kind.VOLUME] |= roots
    by_kind: dict[Kind, set[str]] = {}
    for each in found.resources:
        by_kind.setdefault(each.kind, set()).add(each.id)
    assert by_kind == {kind: ids for kind, ids in wanted.items() if ids}
    for each in found.resources:
        assert {"Name", "course", "lab", "lease-until"} <= each.tags.keys(), each
        assert each.tags["lab"] == LAB == OF_THE_CLASS
        assert all(LABEL.fullmatch(each.tags[key]) for key in ("course", "lab", "lease-until"))


def test_what_it_exports_is_skypilot_s_configuration(made: Class) -> None:
    config = skypilot_config(made.exports)["aws"]
    assert config["remote_identity"] == made.exports["aws_remote_identity"]
    assert config["vpc_name"] == made.exports["aws_vpc_name"]
    assert config["labels"]["course"] == made.cluster.course


def test_only_what_moto_lacks_is_not_emulated(made: Class) -> None:
    elsewhere = {each.partition(":")[0] for each in made.applied.not_emulated if each.startswith(ELSEWHERE)}
    assert "gcp" in elsewhere or not made.cluster.regions("gcp")
    ours = [each for each in made.applied.not_emulated if not each.startswith(ELSEWHERE)]
    assert {each.rpartition(": ")[2].split()[0] for each in ours} <= {
        "autoscaling",
        "budgets",
        "ce",
        "dlm",
        "eks",
        "ssm",
    }
