"""Who watches the machines: whether each is gone when its lease, its budget or its grace is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from clusterlab.errors import UnreachableError
from clusterlab.reaper.reap import AGE_MINUTES, GRACE_HOURS
from clusterlab.simulation.audit import SCOPES, Audit
from clusterlab.simulation.cloud import Account
from clusterlab.simulation.invariant import Invariant, ViolationError
from clusterlab.simulation.machine import RUNNING, TERMINATED, Disk, Machine
from clusterlab.simulation.server import Round

AGE, GRACE = timedelta(minutes=AGE_MINUTES), timedelta(hours=GRACE_HOURS)
CENT = Decimal("0.01")
NUM_EVENTS = 30


@dataclass(kw_only=True, slots=True)
class Mark:
    """How far the rounds came with one thing that may not be there any more."""

    first: datetime | None = None
    due: datetime | None = None

    def seen(self, at: datetime) -> datetime | None:
        """Since when its stop is due; None where it is not."""
        self.first = self.first or at
        if self.due is None and at - self.first >= AGE:
            self.due = at
        return self.due


@dataclass(kw_only=True)
class Watch:
    """Raises at the first thing that does not hold.

    A round counts where it went well. That is less than the reaper itself asks for, so whoever it stops in time is
    stopped in time by this too, and nobody is by this who is not by that.
    """

    account: Account
    audit: Audit
    events: deque[str] = field(default_factory=lambda: deque(maxlen=NUM_EVENTS))
    """What happened last."""
    leases: dict[str, Mark] = field(default_factory=dict)
    budgets: dict[str, Mark] = field(default_factory=dict)
    """By machine."""
    launched: set[str] = field(default_factory=set)
    """Runs whose machines started since the meter looked last."""
    overshoot: timedelta = timedelta()
    """By how much a machine ran on after its lease, at most."""
    overspent: Decimal = Decimal(0)
    """By how many dollars somebody's use passed a cap, at most."""
    unseen_usd: Decimal = Decimal(0)
    """Of what came and went between two looks of the meter."""

    def note(self, text: str) -> None:
        """Keep an event for whoever looks why something does not hold."""
        self.events.append(f"{self.account.now():%Y-%m-%d %H:%M:%S}Z  {text}")

    def swept(self, done: Round) -> None:
        """After a round of `reap`.

        Raises:
            ViolationError: something is there that may not be.
        """
        if not done.well:
            return
        there: list[Machine | Disk] = [each for each in self.account.machines.values() if each.state != TERMINATED]
        there += [each for each in self.account.disks.values() if each.holder is None]
        names, at = {each.id for each in there}, self.account.now()
        self.leases = {name: each for name, each in self.leases.items() if name in names}
        for each in there:
            if at > each.until and each.id not in done.refused:
                self._over(each, at)

    def enforced(self, done: Round) -> None:
        """After a round of `enforce` that followed one of `meter`, where both went well.

        Raises:
            ViolationError: a machine runs on whose budget is spent.
        """
        there = [each for each in self.account.machines.values() if each.state != TERMINATED]
        over = self._spent(there)
        mine = {each.id: sorted(over & set(_scopes(each))) for each in there}
        self.budgets = {name: self.budgets.get(name, Mark()) for name, scopes in mine.items() if scopes}
        at = self.account.now()
        for name, mark in self.budgets.items() if done.well else ():
            runs = self.account.machines[name].state == RUNNING
            if mark.seen(at) and runs and name not in done.refused:
                whose = ", ".join(map(" ".join, mine[name]))
                raise ViolationError(Invariant.SPENDING, f"{name} of {whose} runs, its stop was due at {mark.due}")

    def launching(self, run: str) -> None:
        """Before its first machine starts."""
        self.launched.add(run)

    def metered(self, done: Round, skew: timedelta) -> None:
        """After a round of `meter`, by a clock that is so much wrong.

        Raises:
            ViolationError: something that was shown is not on record, or was never reserved for.
        """
        try:
            self.audit.follow(self.account.now(), skew)
        except UnreachableError:
            # The rows are read when the database answers again, as it did not to the meter.
            if done.well:
                raise
            return
        unreserved = [run for run in self.launched if run not in self.audit.runs or not self.audit.runs[run].reserved]
        if unreserved:
            raise ViolationError(Invariant.RESERVED, f"run {min(unreserved)}")
        self.launched.clear()
        if not done.well:
            return
        for key, use in list(self.account.uses.items()):
            if use.end is None and key not in self.audit.going_on:
                raise ViolationError(Invariant.METERED, f"{key[0]} is in use since {key[1]}, and not on record")
            if use.end is not None and (key in self.audit.going_on or key[0] in self.account.machines):
                raise ViolationError(Invariant.METERED, f"{key[0]} was in use until {use.end}, and is not on record so")
            if use.end is not None:
                # It came and went between two looks, as a disk does with a machine that lives for minutes.
                self.unseen_usd += use.usd(key[1], use.end)
                del self.account.uses[key]

    def ended(self) -> None:
        """When all is over.

        Raises:
            ViolationError: a machine or a disk is there still.
        """
        left = [each.id for each in self.account.machines.values() if each.state != TERMINATED]
        left += self.account.disks
        if left:
            raise ViolationError(Invariant.GRACE, f"{', '.join(left[:3])} is there when all is over")

    def stopped(self, machine: Machine) -> None:
        """At a machine's stop or end."""
        at = self.account.now()
        self.overshoot = max(self.overshoot, at - max(machine.until, machine.launched))

    def _over(self, thing: Machine | Disk, at: datetime) -> None:
        due = self.leases.setdefault(thing.id, Mark()).seen(at)
        if due and isinstance(thing, Machine) and thing.state == RUNNING:
            raise ViolationError(Invariant.LEASE, f"{thing.id} runs, its lease ended at {thing.until}")
        if due and at - due >= GRACE:
            raise ViolationError(Invariant.GRACE, f"{thing.id} is there, its stop was due at {due}")

    def _spent(self, there: Sequence[Machine]) -> set[tuple[str, str]]:
        """Whose caps are spent, of those who have a machine, by the cloud's own bill and to the cent.

        Of the others nothing can have changed, but for whom it billed something since the last look.
        """
        going_on: dict[tuple[str, str], Decimal] = {}
        for machine in there:
            usd = self._going_on_usd(machine)
            for key in _scopes(machine):
                going_on[key] = going_on.get(key, Decimal(0)) + usd
        over = {
            key: self.account.spent.get(key, Decimal(0)) + going_on.get(key, Decimal(0)) - self.audit.cap_usd(key)
            for key in (going_on.keys() | self.account.billed) & self.audit.caps.keys()
        }
        self.account.billed.clear()
        self.overspent = max([self.overspent, *over.values()])
        return {key for key, usd in over.items() if usd > CENT}

    def _going_on_usd(self, machine: Machine) -> Decimal:
        """What a machine that runs has cost since it was started, with its disk."""
        if machine.state != RUNNING:
            return Decimal(0)
        uses = ((machine.id, machine.launched), (machine.disk.id, machine.disk.made))
        return sum((self.account.uses[key].usd(key[1], self.account.now()) for key in uses), Decimal(0))


def _scopes(machine: Machine) -> list[tuple[str, str]]:
    return [(scope, machine.tags[scope]) for scope in SCOPES if scope in machine.tags]
