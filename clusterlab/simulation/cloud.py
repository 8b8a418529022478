"""An emulation of an AWS account, in memory and on the simulation's clock.

It knows machines and their disks. Of all else that the reaper looks for it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.catalog import HOURS_PER_MONTH, Catalog, Kind, Row
from clusterlab.simulation.client import DISK, Client
from clusterlab.simulation.machine import RUNNING, STOPPED, TERMINATED, Disk, Machine, Use

SHOWN = timedelta(hours=1)
"""How long EC2 still shows a machine that is gone."""


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
    billed: set[tuple[str, str]] = field(default_factory=set)
    """Of whom more is spent than when somebody looked last."""
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
        machine.state, machine.launched, machine.shown = RUNNING, self.now(), None
        self._begin(machine)

    def stop(self, machine: Machine) -> None:
        """Stop it; its disk is there still."""
        self._end(machine)
        machine.state, machine.shown = STOPPED, None

    def terminate(self, machine: Machine) -> None:
        """End it, and its disk where that goes along."""
        self._end(machine)
        machine.state, machine.ended, machine.shown = TERMINATED, self.now(), None
        machine.disk.holder, machine.disk.shown = None, None
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
                self.billed.add(key)


def _known(usd: Decimal | None) -> Decimal:
    """A price, of which only what has one is launched here."""
    if usd is None:
        raise ValueError("launched without a known price")
    return usd
