"""The emulated EC2 without its machines: the calls that boot and end them are only counted."""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from clusterlab.rehearsal import account
from clusterlab.rehearsal.cloud import EmulatedCloud, _admit, _Gate, _quiet_handler
from clusterlab.rehearsal.faults import Fault, Injector
from clusterlab.rehearsal.prices import ZONES
from clusterlab.rehearsal.stack import configuration, make_class
from clusterlab.rehearsal.transport import take_for_tls
from tests.clusterlab.conftest import ROOT

IMAGE = "ami-12c6146b"
HERE = "us-east-1"
CLASS_FILE = Path("clusters/llm-2026.yaml")


@dataclass(kw_only=True)
class CountingCloud(EmulatedCloud):
    powered: set[str] = field(default_factory=set)

    def _boot(self, instance_id: str) -> None:
        self.powered.add(instance_id)

    def _halt(self, instance_id: str) -> None:
        self.powered.discard(instance_id)

    def _end(self, instance_id: str) -> None:
        self.powered.discard(instance_id)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CountingCloud]:
    take_for_tls()
    cloud = CountingCloud(folder=tmp_path, layers=[], cache=tmp_path / "cache")
    gate = _Gate(cloud=cloud, app=DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_quiet_handler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.setup_default_session()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_instance(zone: str = "us-east-1a", **more: Any) -> str:
    disk = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100}}]
    answer = boto3.client("ec2").run_instances(
        ImageId=IMAGE,
        InstanceType="g6.xlarge",
        MinCount=1,
        MaxCount=1,
        Placement={"AvailabilityZone": zone},
        BlockDeviceMappings=disk,
        **more,
    )
    return str(answer["Instances"][0]["InstanceId"])


def test_a_machine_has_power_until_it_is_ended_and_its_disk_goes_with_it(cloud: CountingCloud) -> None:
    instance = run_instance()
    assert cloud.powered == {instance}
    assert {thing.kind for thing in account.billed() if thing.state != "available"} == {"instance", "volume"}
    account.preempt(instance)
    assert cloud.powered == set()
    assert not [thing for thing in account.billed() if thing.shape in ("g6.xlarge", "100 GB")]
    assert instance in [each.id for each in account.launched()]


def test_an_answer_that_is_lost_does_not_launch_a_second_machine(cloud: CountingCloud) -> None:
    cloud.injector = Injector(faults=frozenset([Fault.LOST_ANSWER]))
    instance = run_instance()
    assert cloud.powered == {instance}
    assert [call.error for call in cloud.calls] == [None, "InternalError"]
    account.preempt(instance)


def test_throttled_calls_are_tried_again(cloud: CountingCloud) -> None:
    cloud.injector = Injector(faults=frozenset([Fault.THROTTLE]))
    account.preempt(run_instance())
    assert cloud.injector.injected


def test_a_full_zone_refuses_and_the_next_one_does_not(cloud: CountingCloud) -> None:
    cloud.injector = Injector(faults=frozenset([Fault.CAPACITY]))
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        run_instance("us-east-1a")
    account.preempt(run_instance("us-east-1b"))


def test_the_class_s_own_machine_is_there_without_power_and_is_no_launch(cloud: CountingCloud) -> None:
    cloud.injector = Injector(faults=frozenset([Fault.API_500]))
    program = boto3.session.Session("emulated", "emulated").client("ec2")
    tags = [{"Key": "course", "Value": "llm-2026"}, {"Key": "lab", "Value": account.OF_THE_CLASS}]
    kinds = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    own = program.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=kinds)["Instances"]
    program.create_launch_template(
        LaunchTemplateName="own",
        LaunchTemplateData={},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    before = {each.id for each in account.billed(account.LEFT)}
    launched = run_instance()
    assert (cloud.powered, cloud.injector.injected) == ({launched}, ["RunInstances 1: InternalError"])
    assert launched in {each.id for each in account.launched()}
    assert own[0]["InstanceId"] not in {each.id for each in account.launched()}
    account.preempt(launched)
    assert {each.id for each in account.billed(account.LEFT)} == before
    assert not [each for each in account.billed(account.LEFT) if each.tags.get("lab") == account.OF_THE_CLASS]


def test_an_upload_in_the_class_s_bucket_is_left_by_a_launch(cloud: CountingCloud) -> None:
    s3, name = boto3.client("s3"), "class-of-an-upload"
    s3.create_bucket(Bucket=name)
    tags = [{"Key": "lab", "Value": account.OF_THE_CLASS}, {"Key": "course", "Value": "llm-2026"}]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    upload = s3.create_multipart_upload(Bucket=name, Key="half")
    left = [each.id for each in account.billed(account.LEFT)]
    assert f"s3://{name}/half?uploadId={upload['UploadId']}" in left
    s3.abort_multipart_upload(Bucket=name, Key="half", UploadId=upload["UploadId"])
    assert cloud.calls == []


def test_skypilot_launches_in_what_the_class_s_program_made(cloud: CountingCloud, sky: Any) -> None:
    from sky.provision.aws import config as skypilot

    del sky

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    # Another test of this process may have made the class.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    exports = make_class(CLASS_FILE, root=ROOT, region=HERE, endpoint=endpoint)
    config = configuration(exports)["aws"]
    assert (cloud.powered, cloud.calls) == (set(), [])
    ec2 = boto3.resource("ec2")
    zones = ec2.meta.client.describe_availability_zones(ZoneIds=list(ZONES[HERE]))["AvailabilityZones"]
    for zone in zones:
        where = (HERE, zone["ZoneName"], False, config["vpc_name"], None)
        (subnet,), vpc = skypilot._get_subnet_and_vpc_id(ec2, None, *where)
        (group,) = skypilot._configure_security_group(ec2, vpc, config["security_group_name"], [], False)
        launched = run_instance(
            zone["ZoneName"],
            SubnetId=subnet.subnet_id,
            SecurityGroupIds=[group],
            IamInstanceProfile={"Name": config["remote_identity"]},
        )
        assert launched in cloud.powered
        assert ip_address(ec2.Instance(launched).private_ip_address) in ip_network(subnet.cidr_block)
        account.preempt(launched)
    assert [each for each in account.billed(account.LEFT) if each.tags] == []
    boto3.client("s3").put_object(Bucket=exports["aws_bucket"], Key="runs/rehearsal/run.json", Body=b"{}")


def test_the_keys_in_the_user_data_are_let_in() -> None:
    import base64

    text = (
        "#cloud-config\nusers:\n  - name: ubuntu\n    ssh_authorized_keys:\n      - |-\n        ssh-ed25519 AAAA me\n"
    )
    lines = _admit(base64.b64encode(text.encode()).decode())
    assert "ssh-ed25519 AAAA me" in lines
    assert "/home/ubuntu/.ssh/authorized_keys" in lines
