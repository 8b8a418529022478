"""An emulation of an AWS account, in memory and on the simulation's clock, as boto3 shows it to reaper and meter.

It knows machines and their disks. Of all else that the reaper looks for it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from clusterlab.catalog import HOURS_PER_MONTH, Catalog, Kind, Row

ACCOUNT = "000000000000"
DISK = "gp3"
SHOWN = timedelta(hours=1)
"""How long EC2 still shows a machine that is gone."""
RUNNING, STOPPED, TERMINATED = "running", "stopped", "terminated"


@dataclass(kw_only=True, slots=True)
class Disk:
    """A machine's volume, or one that a machine left."""

    id: str
    tags: Mapping[str, str]
    gb: int
    made: datetime
    holder: str | None
    until: datetime
    """When its lease ends, by what was granted and not by what its tags say now."""


@dataclass(kw_only=True, slots=True)
class Machine:
    """One instance."""

    id: str
    row: Row
    spot: bool
    tags: Mapping[str, str]
    made: datetime
    launched: datetime
    """When it was started last."""
    disk: Disk
    keeps_disk: bool
    until: datetime
    """As its disk's."""
    refusals: int
    """How often the cloud refuses its end yet."""
    state: str = RUNNING
    ended: datetime | None = None
    """When it was stopped or ended last."""


@dataclass(kw_only=True, slots=True)
class Use:
    """What the cloud itself bills: one resource from one instant on."""

    tags: Mapping[str, str]
    usd_per_hour: Decimal
    end: datetime | None = None

    def usd(self, start: datetime, now: datetime) -> Decimal:
        """What it has cost until now."""
        seconds = Decimal(((self.end or now) - start) // timedelta(seconds=1))
        return seconds * self.usd_per_hour / 3600


@dataclass(kw_only=True)
class Account:
    """The account; in place of a session of boto3."""

    region: str
    catalog: Catalog
    now: Callable[[], datetime]
    """The cloud's own clock, which is right."""
    machines: dict[str, Machine] = field(default_factory=dict)
    """Those that are there, and those that are gone and still shown."""
    disks: dict[str, Disk] = field(default_factory=dict)
    uses: dict[tuple[str, datetime], Use] = field(default_factory=dict)
    """By resource and start, until somebody takes it out."""
    failing: set[str] = field(default_factory=set)
    """Operations that fail now."""
    spent: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """By tag and its value, of what ended."""
    on_stop: Callable[[Machine], object] = lambda _: None
    """Told when a machine does not run any more."""
    _made: int = 0

    @property
    def region_name(self) -> str:
        """As boto3's session has it."""
        return self.region

    def client(self, service: str, region_name: str | None = None, config: Any = None) -> Client:
        """What speaks with one service."""
        del region_name, config  # There is one region, and nothing to wait for.
        return Client(account=self, service=service)

    def launch(
        self,
        row: Row,
        tags: Mapping[str, str],
        until: datetime,
        *,
        gb: int,
        spot: bool,
        keeps_disk: bool,
        refusals: int,
    ) -> Machine:
        """Start a machine with its disk."""
        self._made += 1
        at, name = self.now(), f"{self._made:017x}"
        disk = Disk(id=f"vol-{name}", tags=tags, gb=gb, made=at, holder=f"i-{name}", until=until)
        machine = Machine(
            id=f"i-{name}",
            row=row,
            spot=spot,
            tags=tags,
            made=at,
            launched=at,
            disk=disk,
            keeps_disk=keeps_disk,
            until=until,
            refusals=refusals,
        )
        self.machines[machine.id], self.disks[disk.id] = machine, disk
        self.uses[disk.id, at] = Use(tags=tags, usd_per_hour=self._disk_usd(gb))
        self._begin(machine)
        return machine

    def start(self, machine: Machine) -> None:
        """Start a machine that is stopped."""
        machine.state, machine.launched = RUNNING, self.now()
        self._begin(machine)

    def stop(self, machine: Machine) -> None:
        """Stop it; its disk is there still."""
        self._end(machine)
        machine.state = STOPPED

    def terminate(self, machine: Machine) -> None:
        """End it, and its disk where that goes along."""
        self._end(machine)
        machine.state, machine.ended = TERMINATED, self.now()
        machine.disk.holder = None
        if not machine.keeps_disk:
            self.remove_disk(machine.disk.id)

    def remove_disk(self, name: str) -> None:
        """Remove a disk that no machine holds."""
        disk = self.disks.pop(name)
        self._bill(disk.id, disk.made)

    def forget(self) -> None:
        """Show no more what is gone for long."""
        gone = [each.id for each in self.machines.values() if each.ended and each.state == TERMINATED]
        for name in gone:
            if self.now() - (self.machines[name].ended or self.now()) > SHOWN:
                del self.machines[name]

    def hourly_usd(self, machine: Machine) -> Decimal:
        """What a machine costs while it runs, by the catalog."""
        return _known(machine.row.usd(spot=machine.spot))

    def _disk_usd(self, gb: int) -> Decimal:
        row = self.catalog.row(Kind.DISK, "aws", self.region, DISK)
        return _known(row.on_demand_usd if row else None) * gb / HOURS_PER_MONTH

    def _begin(self, machine: Machine) -> None:
        self.uses[machine.id, machine.launched] = Use(tags=machine.tags, usd_per_hour=self.hourly_usd(machine))

    def _end(self, machine: Machine) -> None:
        if machine.state == RUNNING:
            machine.ended = self.now()
            self._bill(machine.id, machine.launched)
            self.on_stop(machine)

    def _bill(self, name: str, start: datetime) -> None:
        use = self.uses[name, start]
        use.end = self.now()
        for tag in ("student", "team", "course"):
            if tag in use.tags:
                key = (tag, use.tags[tag])
                self.spent[key] = self.spent.get(key, Decimal(0)) + use.usd(start, use.end)


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
            return {"Reservations": [{"Instances": [_instance(each, self.account.region) for each in found]}]}
        if operation == "describe_volumes":
            return {"Volumes": [_volume(each) for each in self.account.disks.values()]}
        return {}

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


def _known(usd: Decimal | None) -> Decimal:
    """A price, of which only what has one is launched here."""
    if usd is None:
        raise ValueError("launched without a known price")
    return usd


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
