"""What the emulated cloud asks of moto itself, beside its interface: its models of machines, and its clock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

REGION = "us-east-1"
ACCOUNT = "123456789012"


def instance(instance_id: str) -> Any:
    """A machine as moto has it."""
    return _ec2().get_instance(instance_id)


def zone(form: dict[str, list[str]]) -> str | None:
    """Where a machine is asked for: EC2 is told a subnet, which lies in one zone."""
    subnet = next((values[0] for key, values in form.items() if key.endswith("SubnetId")), None)
    if subnet is None:
        return form.get("Placement.AvailabilityZone", [None])[0]
    return str(_ec2().get_subnet(subnet).availability_zone)


def root_disk(instance_id: str) -> str:
    """The id of the first disk of a machine."""
    return next((str(disk.volume_id) for disk in instance(instance_id).block_device_mapping.values()), "")


def unplug(instance_id: str) -> None:
    """Let a machine's network interfaces end with it, as EC2's do; moto's go on holding its security groups."""
    cards = _ec2().enis
    for each in [card for card in cards.values() if card.instance and card.instance.id == instance_id]:
        del cards[each.id]


def set_clock(clock: Callable[[], datetime]) -> None:
    """Let moto take the time from here, also where a model of it has the function already."""
    from moto.core import utils

    def now() -> datetime:
        return clock().replace(tzinfo=None)

    for module in [utils, *(each for name, each in sys.modules.items() if name.startswith("moto."))]:
        if "utcnow" in vars(module):
            vars(module)["utcnow"] = now


def _ec2() -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][REGION]
