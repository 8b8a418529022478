"""The emulated cloud as boto3 shows it to the reaper and the meter: clients of its services, and their pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from clusterlab.simulation.machine import RUNNING, TERMINATED, Disk, Machine

if TYPE_CHECKING:
    from clusterlab.simulation.cloud import Account

ACCOUNT = "000000000000"
DISK = "gp3"
"""The type of every disk."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client of boto3 for one service of the account."""

    account: Account
    service: str

    def get_caller_identity(self) -> dict[str, Any]:
        """Whose account it is, and what time it is there."""
        date = format_datetime(self.account.now(), usegmt=True)
        return {"Account": ACCOUNT, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def describe_regions(self) -> dict[str, Any]:
        """The one there is."""
        return {"Regions": [{"RegionName": self.account.region}]}

    def describe_addresses(self, **_: Any) -> dict[str, Any]:
        """None."""
        self._answer("describe_addresses")
        return {"Addresses": []}

    def get_paginator(self, operation: str) -> Pages:
        """What is listed."""
        return Pages(client=self, operation=operation)

    def stop_instances(self, *, InstanceIds: Sequence[str]) -> None:  # noqa: N803 (boto3's word)
        """Stop them, or none."""
        for machine in self._named("stop_instances", InstanceIds):
            if machine.state == RUNNING:
                self.account.stop(machine)

    def terminate_instances(self, *, InstanceIds: Sequence[str]) -> None:  # noqa: N803 (boto3's word)
        """End them, or none."""
        machines = self._named("terminate_instances", InstanceIds)
        refused = [each for each in machines if each.refusals]
        if len(machines) == 1 and refused:
            refused[0].refusals -= 1
        if refused:
            raise _error("OperationNotPermitted", "terminate_instances")
        for machine in machines:
            self.account.terminate(machine)

    def delete_volume(self, *, VolumeId: str) -> None:  # noqa: N803 (boto3's word)
        """Remove a disk."""
        self._answer("delete_volume")
        if VolumeId not in self.account.disks:
            raise _error("InvalidVolume.NotFound", "delete_volume")
        if self.account.disks[VolumeId].holder:
            raise _error("VolumeInUse", "delete_volume")
        self.account.remove_disk(VolumeId)

    def list_of(self, operation: str, filters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """All that an operation lists, on one page."""
        self._answer(operation)
        if operation == "describe_instances":
            states = next((each["Values"] for each in filters if each["Name"] == "instance-state-name"), None)
            found = [each for each in self.account.machines.values() if states is None or each.state in states]
            return {"Reservations": [{"Instances": [self._instance(each) for each in found]}]}
        if operation == "describe_volumes":
            return {"Volumes": [self._volume(each) for each in self.account.disks.values()]}
        return {}

    def _instance(self, machine: Machine) -> dict[str, Any]:
        if machine.shown is None:
            machine.shown = _instance(machine, self.account.region)
        return machine.shown

    def _volume(self, disk: Disk) -> dict[str, Any]:
        if disk.shown is None:
            disk.shown = _volume(disk)
        return disk.shown

    def _answer(self, operation: str) -> None:
        if operation in self.account.failing:
            raise _error("RequestLimitExceeded", operation)

    def _named(self, operation: str, names: Sequence[str]) -> list[Machine]:
        self._answer(operation)
        found = [self.account.machines.get(each) for each in names]
        there = [each for each in found if each is not None and each.state != TERMINATED]
        if len(there) < len(names):
            raise _error("InvalidInstanceID.NotFound", operation)
        return there


@dataclass(frozen=True, kw_only=True)
class Pages:
    """A paginator of boto3."""

    client: Client
    operation: str

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The one page there is."""
        yield self.client.list_of(self.operation, arguments.get("Filters") or ())


def _instance(machine: Machine, region: str) -> dict[str, Any]:
    ended = f"User initiated ({machine.ended:%Y-%m-%d %H:%M:%S} GMT)" if machine.ended else ""
    disk = {"VolumeId": machine.disk.id, "DeleteOnTermination": not machine.keeps_disk, "AttachTime": machine.made}
    gone = machine.state == TERMINATED
    return {
        "InstanceId": machine.id,
        "InstanceType": machine.row.name,
        "State": {"Name": machine.state},
        "LaunchTime": machine.launched,
        "Placement": {"AvailabilityZone": f"{region}a"},
        "BlockDeviceMappings": [] if gone else [{"DeviceName": "/dev/sda1", "Ebs": disk}],
        "StateTransitionReason": "" if machine.state == RUNNING else ended,
        "Tags": _pairs(machine.tags),
        **({"InstanceLifecycle": "spot"} if machine.spot else {}),
    }


def _volume(disk: Disk) -> dict[str, Any]:
    return {
        "VolumeId": disk.id,
        "VolumeType": DISK,
        "Size": disk.gb,
        "State": "in-use" if disk.holder else "available",
        "CreateTime": disk.made,
        "Attachments": [{"InstanceId": disk.holder}] if disk.holder else [],
        "Tags": _pairs(disk.tags),
    }


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the emulation's answer"}}, operation)
