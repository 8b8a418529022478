"""Who starts next on the shared cluster: one function of the tickets, what each student used, and what is free.

The order, each rule deciding where those before it do not:

1. Who has waited for `PATIENCE` goes before who has not, first come, first served. GPUs that get free are then kept for
   it, so that no stream of smaller jobs holds a larger one off for ever. (Slurm's `PriorityMaxAge`, and a reservation
   such as its backfill scheduler makes for the first job that does not fit.)
2. Whose share is smaller, in whole GPU-hours: what the student used in the window of the class's limits, an hour
   counting half for each half window that has passed since, and all that their jobs may still take. (Slurm's fair
   share: decayed usage against equal shares, `PriorityDecayHalfLife`.)
3. Among equals, a lab that is due within `DUE_SOON`.
4. Whose share is smaller, exactly.
5. First come, first served.

Slurm adds such factors up with weights (slurm.schedmd.com/priority_multifactor.html); here they are asked in turn, so
that a student can be told in one line why another goes first.

Who is over a limit waits without holding anybody up, and whoever fits behind somebody who does not fit starts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from clusterlab.class_budget import Limits
from clusterlab.submission.ticket import HOLDING, State, Ticket

PATIENCE = timedelta(hours=2)
DUE_SOON = timedelta(hours=48)


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """What a cluster has."""

    gpus: Decimal
    """Of all its living nodes; machines, where it has no GPU."""
    others: Decimal
    """What of them is held by jobs that have no ticket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What a student's ended jobs took."""

    gpu_hours: Decimal = Decimal(0)
    """Within the window of the class's limits."""
    weighted_gpu_hours: Decimal = Decimal(0)
    """The same, older ones counting less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is said of a ticket that waited."""

    ticket: Ticket
    why: str
    """Why it waits; empty where it starts."""

    @property
    def starts(self) -> bool:
        """Whether it starts now."""
        return not self.why


@dataclass(kw_only=True, slots=True)
class _Account:
    """What counts against a student."""

    held: Decimal = Decimal(0)
    gpu_hours: Decimal = Decimal(0)
    share: Decimal = Decimal(0)

    def take(self, ticket: Ticket, gpu_hours: Decimal) -> None:
        self.held += ticket.gpus
        self.gpu_hours += gpu_hours
        self.share += gpu_hours


@dataclass(kw_only=True, slots=True)
class _Desk:
    """The state of one arbitration."""

    limits: Limits
    reach: Decimal
    """What is free once all tickets have ended."""
    free: Decimal
    kept: Decimal = Decimal(0)
    """For those who have waited long."""
    accounts: dict[str, _Account] = field(default_factory=dict)


def arbitrate(
    tickets: Iterable[Ticket], used: Mapping[str, Used], capacity: Capacity, limits: Limits, now: datetime
) -> list[Verdict]:
    """Say of each ticket that waits whether it starts now, and else why not; in the order in which they are asked.

    Args:
        tickets: All that live: those that wait, and those that hold GPUs.
        used: What each student's ended jobs took; nothing, where a student is not in it.
        capacity: What the cluster has.
        limits: What one student may take.
        now: In UTC.
    """
    tickets = list(tickets)
    holding = [each for each in tickets if each.state in HOLDING]
    reach = capacity.gpus - capacity.others
    desk = _Desk(limits=limits, reach=reach, free=reach - sum(each.gpus for each in holding))
    for student in {each.student for each in tickets}:
        past = used.get(student, Used())
        desk.accounts[student] = _Account(gpu_hours=past.gpu_hours, share=past.weighted_gpu_hours)
    for each in holding:
        desk.accounts[each.student].take(each, _may_take(each, now))
    return _ask([each for each in tickets if each.state is State.WAITING], desk, now)


def never(ticket: Ticket, capacity: Capacity, limits: Limits) -> str:
    """Why a ticket could not start even if it were alone; empty where it could."""
    if ticket.gpus > capacity.gpus:
        return f"asks for {ticket.gpus} GPUs; allowed: at most the {capacity.gpus} that the cluster has"
    if limits.gpus is not None and ticket.gpus > limits.gpus:
        return f"asks for {ticket.gpus} GPUs; allowed: at most {limits.gpus} for each student at once"
    if limits.gpu_hours is not None and ticket.asked_gpu_hours > limits.gpu_hours:
        asked = f"may take {ticket.asked_gpu_hours.normalize():f} GPU-hours"
        return f"{asked}; allowed: at most {limits.gpu_hours} for each student in the window"
    return ""


def has_waited(ticket: Ticket, now: datetime) -> bool:
    """Whether it goes before all who have not waited for so long."""
    return now - ticket.joined >= PATIENCE


def _ask(waiting: Sequence[Ticket], desk: _Desk, now: datetime) -> list[Verdict]:
    """Ask one after the other; who starts moves the student's other tickets back, so their places are found again."""
    order = [(_place(each, desk, now), each) for each in waiting]
    heapq.heapify(order)
    verdicts = []
    while order:
        place, ticket = heapq.heappop(order)
        moved = _place(ticket, desk, now)
        if moved != place:
            heapq.heappush(order, (moved, ticket))
            continue
        why = _why_not(ticket, desk, now)
        if not why:
            desk.free -= ticket.gpus
            desk.accounts[ticket.student].take(ticket, ticket.asked_gpu_hours)
        verdicts.append(Verdict(ticket=ticket, why=why))
    return verdicts


_Place = tuple[bool, Decimal, bool, Decimal, datetime, str]


def _place(ticket: Ticket, desk: _Desk, now: datetime) -> _Place:
    """What is compared, the smallest first; a ticket's id is its own, so no two places are the same."""
    if has_waited(ticket, now):
        return (False, Decimal(0), False, Decimal(0), ticket.joined, ticket.id)
    share = desk.accounts[ticket.student].share
    due_soon = ticket.due is not None and now <= ticket.due <= now + DUE_SOON
    return (True, share // 1, not due_soon, share, ticket.joined, ticket.id)


def _why_not(ticket: Ticket, desk: _Desk, now: datetime) -> str:
    account, limits = desk.accounts[ticket.student], desk.limits
    if limits.gpus is not None and account.held + ticket.gpus > limits.gpus:
        return f"{ticket.student} holds {account.held} of {limits.gpus} GPUs"
    hours = account.gpu_hours + ticket.asked_gpu_hours
    if limits.gpu_hours is not None and hours > limits.gpu_hours:
        return f"{ticket.student} would come to {hours:.2f} of {limits.gpu_hours} GPU-hours in the window"
    free = desk.free - desk.kept
    if ticket.gpus <= free:
        return ""
    why = f"{max(free, Decimal(0))} of the {ticket.gpus} GPUs that it asks for are free"
    if desk.kept:
        why += ", others are kept for who has waited longer"
    # For what a cluster that became smaller cannot give, nobody else need wait.
    if has_waited(ticket, now) and ticket.gpus <= desk.reach:
        desk.kept += ticket.gpus
    return why


def _may_take(ticket: Ticket, now: datetime) -> Decimal:
    """Of one that holds GPUs: all that it asked for, or what it took where that is more."""
    start = ticket.started or now
    return max(ticket.asked_gpu_hours, ticket.used_gpu_hours(start, now))
