"""The real SkyPilot launches, stops and ends in an emulated account, and each of its calls is put to IAM."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
from moto import mock_aws

from tests.clusterlab.conftest import sky
from tests.infra.iam.evaluator import MISSING, Answer, Request, evaluate
from tests.infra.iam.launch import TAGS, Launch, on_machine, retag
from tests.infra.iam.roles import COURSE, HERE, documents, principals

__all__ = ["sky"]

pytestmark = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")

IMAGE, CLUSTER = "ami-12c6146b", "qlora-ana"
GROUP = "clusterlab-llm-2026"
PROVIDER = {
    "region": HERE,
    "availability_zone": f"{HERE}a",
    "vpc_name": "clusterlab-llm-2026",
    "security_group": {"GroupName": GROUP, "ManagedBySkyPilot": False},
    "use_internal_ips": False,
}
"""As SkyPilot makes it of its settings `vpc_name` and `security_group_name`."""
DISK = {"VolumeSize": 256, "VolumeType": "gp3", "Encrypted": True}
"""By `disk_encrypted`, by the account's own key of EBS, which needs no right of who launches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    operation: str
    given: dict[str, Any]

    def requests(self) -> tuple[Request, ...]:
        """What IAM is asked about it."""
        if self.operation == "RunInstances":
            return launched(self.given)
        if self.operation == "CreateTags":
            given = {each["Key"]: each["Value"] for each in self.given["Tags"]}
            return retag(given, TAGS)
        if self.operation.startswith("Describe"):
            return (Request(action=f"ec2:{self.operation}"),)
        return on_machine(self.operation)


def launched(given: dict[str, Any]) -> tuple[Request, ...]:
    specs = {
        each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in given["TagSpecifications"]
    }
    asked = Launch(
        tags=specs["instance"],
        disk_tags=specs["volume"],
        instance_type=given["InstanceType"],
        tokens=given["MetadataOptions"]["HttpTokens"],
        disk_gib=given["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"],
        encrypted=given["BlockDeviceMappings"][0]["Ebs"]["Encrypted"],
    )
    return asked.requests()


@pytest.fixture
def aws(sky: Any) -> Any:
    """SkyPilot's own provisioner."""
    del sky
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sky.provision import aws

    return aws


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Call]]:
    """What anybody calls, in an account with the class's network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    made: list[Call] = []
    call: Callable[..., Any] = botocore.client.BaseClient._make_api_call

    def record(self: Any, operation: str, given: dict[str, Any]) -> Any:
        made.append(Call(operation=operation, given=given))
        return call(self, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", record)
    with mock_aws():
        network(boto3.client("ec2", HERE))
        made.clear()
        yield made


def network(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": PROVIDER["vpc_name"]}])
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=f"{HERE}a")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(GroupName=GROUP, Description=COURSE, VpcId=vpc)["GroupId"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ssh])


def launch(aws: Any) -> None:
    """Two nodes, as `sky launch` asks for them."""
    from sky.provision import common

    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    asked = common.ProvisionConfig(
        provider_config=PROVIDER,
        authentication_config={},
        docker_config={},
        node_config={
            "IamInstanceProfile": {"Name": "clusterlab-llm-2026-node"},
            "InstanceType": "m5.large",
            "ImageId": IMAGE,
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": DISK}],
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
            "MetadataOptions": {"HttpTokens": "required"},
        },
        count=2,
        tags={"ray-cluster-name": CLUSTER, "skypilot-cluster-name": CLUSTER},
        resume_stopped_nodes=False,
        ports_to_open_on_launch=None,
    )
    boto3.client("iam", HERE).create_instance_profile(InstanceProfileName="clusterlab-llm-2026-node")
    ready = aws.bootstrap_instances(HERE, CLUSTER, asked)
    aws.run_instances(HERE, CLUSTER, CLUSTER, ready)


def put(who: str, calls: list[Call]) -> dict[str, list[Answer]]:
    """IAM's answers by operation."""
    asker = principals(documents())[who]
    pairs = [(call.operation, request) for call in calls for request in call.requests()]
    found: dict[str, list[Answer]] = {}
    for (operation, _), answer in zip(pairs, evaluate((asker, request) for _, request in pairs), strict=True):
        found.setdefault(operation, []).append(answer)
    return found


def refused(answers: dict[str, list[Answer]]) -> dict[str, list[Answer]]:
    left = {operation: [each for each in found if not each.allowed] for operation, found in answers.items()}
    return {operation: found for operation, found in left.items() if found}


@pytest.mark.parametrize("who", ["student", "course server"])
def test_whoever_launches_may_call_what_skypilot_calls(who: str, aws: Any, calls: list[Call]) -> None:
    launch(aws)
    aws.query_instances(CLUSTER, CLUSTER, PROVIDER)
    aws.stop_instances(CLUSTER, PROVIDER)
    aws.terminate_instances(CLUSTER, PROVIDER)
    mine = [call for call in calls if call.operation != "CreateInstanceProfile"]
    answers = put(who, mine)
    assert {"RunInstances", "CreateTags", "StopInstances", "TerminateInstances"} <= answers.keys()
    assert refused(answers) == {}


@pytest.mark.parametrize("name", ["stop_instances", "terminate_instances"])
def test_a_node_may_call_what_autostop_calls(name: str, aws: Any, calls: list[Call]) -> None:
    launch(aws)
    calls.clear()
    end = getattr(aws, name)
    end(CLUSTER, PROVIDER, worker_only=True)
    end(CLUSTER, PROVIDER)
    answers = put("node", calls)
    assert answers.keys() & {"StopInstances", "TerminateInstances"}
    assert refused(answers) == {}


def test_sky_start_is_refused(aws: Any, calls: list[Call]) -> None:
    launch(aws)
    calls.clear()
    (first, *_) = boto3.client("ec2", HERE).describe_instances()["Reservations"]
    boto3.client("ec2", HERE).start_instances(InstanceIds=[first["Instances"][0]["InstanceId"]])
    assert refused(put("student", calls)).keys() == {"StartInstances"}


def test_skypilot_asks_for_the_second_imds_and_tags_disks(sky: Any) -> None:
    """By its own template, from which the launch above is made."""
    text = (Path(sky.__file__).parent / "templates" / "aws-ray.yml.j2").read_text()
    assert re.search(r"MetadataOptions:\s+HttpTokens: required", text)
    assert re.search(r"TagSpecifications:\s+- ResourceType: instance", text)
    assert re.search(r"- ResourceType: volume\s+Tags:", text)
