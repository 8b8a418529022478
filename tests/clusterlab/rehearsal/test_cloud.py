"""The emulated EC2 without its machines: the calls that boot and end them are only counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
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
        ImageId="ami-12c6146b",
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
    cloud.injector = Injector(fault=Fault.LOST_ANSWER)
    instance = run_instance()
    assert cloud.powered == {instance}
    assert [call.error for call in cloud.calls] == [None, "InternalError"]
    account.preempt(instance)


def test_throttled_calls_are_tried_again(cloud: CountingCloud) -> None:
    cloud.injector = Injector(fault=Fault.THROTTLE)
    account.preempt(run_instance())
    assert cloud.injector.injected


def test_a_full_zone_refuses_and_the_next_one_does_not(cloud: CountingCloud) -> None:
    cloud.injector = Injector(fault=Fault.CAPACITY)
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        run_instance("us-east-1a")
    account.preempt(run_instance("us-east-1b"))


def test_what_belongs_to_the_course_can_be_made_once_the_cloud_is_up(cloud: CountingCloud) -> None:
    account.seed()
    (vpc,) = boto3.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [account.VPC]}])["Vpcs"]
    assert vpc["CidrBlock"] == account.NETWORK
    assert cloud.calls == []


def test_the_keys_in_the_user_data_are_let_in() -> None:
    import base64

    text = (
        "#cloud-config\nusers:\n  - name: ubuntu\n    ssh_authorized_keys:\n      - |-\n        ssh-ed25519 AAAA me\n"
    )
    lines = _admit(base64.b64encode(text.encode()).decode())
    assert "ssh-ed25519 AAAA me" in lines
    assert "/home/ubuntu/.ssh/authorized_keys" in lines
