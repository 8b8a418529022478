"""What the course's policy is not asked about: SkyPilot starts a stopped cluster again, by its own code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from clusterlab.reaper.step import Step
from tests.clusterlab.reaper.conftest import HERE, IMAGE, Account, entry

NAME = "qlora-ana"
DISK = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}]


@pytest.fixture
def start(sky: Any, account: Account) -> Callable[[dict[str, str]], str]:
    """`sky launch`, and where its machine is stopped `sky start`, below their optimizer; the machine's id."""
    from sky.provision.aws import instance
    from sky.provision.common import ProvisionConfig

    del sky
    subnets = [each["SubnetId"] for each in account.ec2().describe_subnets()["Subnets"][:1]]
    groups = [each["GroupId"] for each in account.ec2().describe_security_groups()["SecurityGroups"][:1]]
    node = {"ImageId": IMAGE, "InstanceType": "t3.micro", "SubnetIds": subnets, "SecurityGroupIds": groups}

    def start(tags: dict[str, str]) -> str:
        config = ProvisionConfig(
            provider_config={"region": HERE, "use_internal_ips": False},
            authentication_config={},
            docker_config={},
            node_config=node | {"BlockDeviceMappings": DISK},
            count=1,
            tags=tags,
            resume_stopped_nodes=True,
            ports_to_open_on_launch=None,
        )
        # SkyPilot 0.14.1 stumbles when it has started and tagged a machine again: boto3's has no setter for its tags.
        with suppress(AttributeError):
            instance.run_instances(HERE, NAME, NAME, config)
        running = {"Name": "instance-state-name", "Values": ["running"]}
        (found,) = account.ec2().describe_instances(Filters=[running])["Reservations"]
        return str(found["Instances"][0]["InstanceId"])

    return start


def test_a_machine_that_sky_start_started_again_ends_with_its_lease(
    account: Account, start: Callable[[dict[str, str]], str]
) -> None:
    tags = account.tags(hours=1)
    machine = start(tags)
    account.later(hours=2)
    account.reap()
    account.later(minutes=10)
    assert entry(account.reap(), machine).step is Step.STOP
    account.later(hours=3)
    assert start(tags) == machine
    assert entry(account.reap(), machine).step is Step.STOP
    assert account.state(machine) == "stopped"
    account.later(hours=21)
    assert start(tags) == machine
    proof = account.reap()
    assert (entry(proof, machine).step, account.state(machine), proof.proven) == (Step.DOWN, "terminated", True)


def test_a_machine_that_nothing_stops_any_more_ends_with_its_lease(
    account: Account, start: Callable[[dict[str, str]], str]
) -> None:
    """`sky autostop --cancel` changes nothing in the cloud, and nobody there ends the machine any more."""
    machine = start(account.tags(hours=1))
    account.later(minutes=50)
    assert entry(account.reap(), machine).step is Step.LEASED
    account.later(minutes=20)
    assert account.reap_to_the_end().proven
    assert account.state(machine) == "terminated"
