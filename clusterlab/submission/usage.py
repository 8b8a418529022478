"""What students used of the shared cluster in the window of its limits: their tickets, and the ledger for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from clusterlab.cost.interval import Interval
from clusterlab.metering.pool import gpus_held
from clusterlab.submission.arbitration import Used
from clusterlab.submission.ticket import Ticket, hours_between

HALF = Decimal("0.5")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Use:
    student: str
    gpu_hours: Decimal
    end: datetime


def used(ended: Iterable[Ticket], metered: Iterable[Interval], window: timedelta, now: datetime) -> dict[str, Used]:
    """What each student used until now; who used nothing is not in it.

    Args:
        ended: Tickets that hold nothing any more.
        metered: What the meter saw of jobs that have no ticket.
        window: How far back it counts. In half of it an hour comes to count half.
        now: In UTC.
    """
    found: dict[str, Used] = {}
    for use in [*_of_tickets(ended, now - window, now), *_of_meter(metered, now - window, now)]:
        before = found.get(use.student, Used())
        weight = HALF ** (hours_between(use.end, now) / hours_between(now - window / 2, now))
        found[use.student] = Used(
            gpu_hours=before.gpu_hours + use.gpu_hours,
            weighted_gpu_hours=before.weighted_gpu_hours + use.gpu_hours * weight,
        )
    return found


def _of_tickets(ended: Iterable[Ticket], since: datetime, now: datetime) -> Iterator[_Use]:
    for each in ended:
        hours = each.used_gpu_hours(since, now)
        if hours:
            yield _Use(student=each.student, gpu_hours=hours, end=each.ended or now)


def _of_meter(metered: Iterable[Interval], since: datetime, now: datetime) -> Iterator[_Use]:
    for each in metered:
        end = min(each.end or now, now)
        hours = gpus_held(each) * hours_between(max(each.start, since), end)
        if each.student is not None and hours:
            yield _Use(student=each.student, gpu_hours=hours, end=end)
