"""A GPU that somebody holds or pays for, how much of it is used, and what it costs where that is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from clusterlab.course.status.looks import Low
from clusterlab.course.status.machine import Holding

LOW_PERCENT = 5
"""Below it a GPU does nothing for anybody. The number is ours: Princeton ends jobs at 0 % (its utilization policies),
who asked Microsoft's PAI for a rule wanted 20 % (microsoft/pai issue 4266); what trains at all is far above 5."""
IDLE_FOR = timedelta(minutes=15)
"""How long it stays low before it is idle. After so long Northeastern's IdleBot writes to the user, and it cancels the
job after an hour (rc-docs.northeastern.edu); loading a model takes minutes. That every sample of the time must be low
is dstack's rule (dstackai/dstack pull request 2375)."""


class State(StrEnum):
    """How a GPU stands."""

    IDLE = "idle"
    """Held and low for `IDLE_FOR`, at every look."""
    LOW = "low"
    """Held and low now, and not yet known to be for long."""
    UNMEASURED = "not measured"
    """Held, and nobody says how much of it is used."""
    BUSY = "busy"
    FREE = "free"
    """Nobody holds it, and no machine that is billed has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One; or all those of a machine that nobody measures."""

    machine: str
    """The id of the machine in the cloud, else the node's address."""
    index: int | None
    """None of those that are not measured."""
    uuid: str
    count: int
    model: str
    jobs: tuple[str, ...]
    students: tuple[str, ...]
    """Who may hold it: one where that is known, else all who hold a GPU of that node."""
    percent: int | None
    """Of the last sample; None where it is not measured."""
    memory_mb: tuple[int, int] | None
    """Used and there."""
    billed: bool
    """Whether it is in a machine that is paid for now."""
    usd_per_hour: Decimal | None
    """Its share of the machine's price; None where that is not known."""
    low: Low | None = None

    @property
    def held(self) -> bool:
        """Whether a job has it, or somebody pays for it."""
        return bool(self.jobs) or self.billed

    @property
    def key(self) -> str:
        """Under which its looks are kept: another job's begin anew."""
        return "/".join([self.machine, self.uuid or str(self.index), *self.jobs])

    @property
    def state(self) -> State:
        """How it stands."""
        if not self.held:
            return State.FREE
        if self.percent is None:
            return State.UNMEASURED
        if self.percent >= LOW_PERCENT:
            return State.BUSY
        return State.IDLE if self.low and self.low.lasted >= IDLE_FOR else State.LOW

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "machine": self.machine,
            "index": self.index,
            "count": self.count,
            "model": self.model,
            "state": self.state,
            "percent": self.percent,
            "memory_mb": None if self.memory_mb is None else {"used": self.memory_mb[0], "total": self.memory_mb[1]},
            "jobs": list(self.jobs),
            "students": list(self.students),
            "usd_per_hour": None if self.usd_per_hour is None else f"{self.usd_per_hour:f}",
            "low_since": self.low.since.isoformat() if self.low else None,
            "num_low_looks": self.low.num_looks if self.low else 0,
        }


def join(measured: Iterable[Gpu], machines: Iterable[Holding]) -> tuple[Gpu, ...]:
    """What Ray measures, with the machines that it is in and their price, and the GPUs of all other machines.

    An address that two machines have, in networks of their own, says nothing: then the price is not known.
    """
    running = [each for each in machines if each.is_machine and each.resource.runs]
    found = [_placed(each, _by_address(running)) for each in measured]
    seen = {each.machine for each in found}
    found += [_unmeasured(each) for each in running if each.num_gpus and each.resource.id not in seen]
    order = list(State)
    return tuple(sorted(found, key=lambda each: (order.index(each.state), each.machine, each.index or 0)))


def with_looks(gpus: Iterable[Gpu], lows: Mapping[str, Low]) -> tuple[Gpu, ...]:
    """How long each has been low, idle ones first."""
    order = list(State)
    found = [replace(each, low=lows.get(each.key)) for each in gpus]
    return tuple(sorted(found, key=lambda each: (order.index(each.state), each.machine, each.index or 0)))


def _by_address(machines: Sequence[Holding]) -> dict[str, Holding]:
    found: dict[str, list[Holding]] = {}
    for each in machines:
        for address in {each.resource.private_ip, each.resource.public_ip} - {""}:
            found.setdefault(address, []).append(each)
    return {address: holders[0] for address, holders in found.items() if len(holders) == 1}


def _placed(gpu: Gpu, machines: Mapping[str, Holding]) -> Gpu:
    machine = machines.get(gpu.machine)
    if machine is None:
        return gpu
    usd, num = machine.usd_per_hour, machine.num_gpus
    return replace(
        gpu,
        machine=machine.resource.id,
        billed=True,
        students=gpu.students or ((machine.student,) if machine.student else ()),
        usd_per_hour=None if usd is None or not num else usd * gpu.count / num,
    )


def _unmeasured(machine: Holding) -> Gpu:
    return Gpu(
        machine=machine.resource.id,
        index=None,
        uuid="",
        count=machine.num_gpus or 0,
        model=machine.accelerator,
        jobs=(),
        students=(machine.student,) if machine.student else (),
        percent=None,
        memory_mb=None,
        billed=True,
        usd_per_hour=machine.usd_per_hour,
    )
