"""The budget's gate: what a launch may cost at most is reserved before anything is launched, or nothing is."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.catalog import Catalog
from clusterlab.config import Scale
from clusterlab.cost.figure import Load, figure
from clusterlab.cost.money import MICRO
from clusterlab.errors import InputError, Problem
from clusterlab.lab import Lab
from clusterlab.ledger.location import named, open_ledger
from clusterlab.ledger.reservation import Reservation
from clusterlab.offers import big_enough, unbilled
from clusterlab.tags import LEASE_FORMAT, Tags

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger

HOUR = timedelta(hours=1)
Book = Callable[[Any, Tags, Catalog, datetime], None]
"""Holds what a task with these tags may cost at most, or raises."""
ROOT_VARIABLE = "CLUSTERLAB_ROOT"
"""Whose labs and classes count; a server names its own repository, since an upload may bring any along."""


def reserve(task: Any, tags: Tags, catalog: Catalog, now: datetime) -> None:
    """Reserve what a task may cost at most, in the ledger that is named; where none is, nobody keeps a budget.

    It is the high figure: of reservations below what is then spent, several together would pass the cap. What a run
    does not use is free again when it is settled.

    Raises:
        BudgetError: the budget does not cover it.
        InputError: it has no known price, or the ledger is not there.
        UnreachableError: the ledger does not answer.
        StorageError: what lies there is no ledger.
        MissingError: what a ledger needs is not installed.
    """
    if named() is None:
        return
    # Where nobody is billed, no budget is needed.
    if all(map(unbilled, task.resources)):
        return
    with closing(open_ledger()) as ledger:
        book(ledger, task, tags, _lab(task, tags), catalog, now)


def book(ledger: Ledger, task: Any, tags: Tags, lab: Lab | None, catalog: Catalog, now: datetime) -> None:
    """Reserve in a ledger what a task of a lab may cost at most, until its lease ends.

    Raises:
        BudgetError: the budget does not cover it.
        InputError: it has no known price.
        UnreachableError: the ledger does not answer.
    """
    until = datetime.strptime(tags.lease_until or "", LEASE_FORMAT).replace(tzinfo=UTC)
    hold(ledger, tags, high_usd(task, lab, catalog, lease=until - now), until)


def hold(ledger: Ledger, tags: Tags, usd: Decimal, until: datetime) -> None:
    """Reserve so much for a run until an instant; the same run again is the same reservation.

    Raises:
        BudgetError: the budget does not cover it.
        UnreachableError: the ledger does not answer.
    """
    ledger.reserve(
        Reservation(
            student=tags.student,
            team=tags.team,
            course=tags.course,
            lab=tags.lab,
            run=tags.run or "",
            usd=usd,
            expires=until,
        )
    )


def root_of(task: Any) -> Path:
    """The repository of a task's lab and class: the one that is named, else the task's workdir."""
    return Path(os.environ.get(ROOT_VARIABLE) or (task.workdir if isinstance(task.workdir, str) else ".")).expanduser()


def high_usd(task: Any, lab: Lab | None, catalog: Catalog, *, lease: timedelta) -> Decimal:
    """What a task may cost at most, to the micro-dollar: on the dearest machine that it can become, as long as it may.

    So long is the high number of hours that the lab's sidecar has for the task's SCALE, else the lease. Nodes, disks
    and machines are those that the task asks for, whatever the lab's file says.

    Raises:
        InputError: the price of such a machine is not known.
    """
    scale = task.envs.get("SCALE")
    planned = lab.scales.get(Scale(scale)) if lab and scale in set(Scale) else None
    hours = planned.hours.high if planned else Decimal(lease // timedelta(seconds=1)) / (HOUR // timedelta(seconds=1))
    egress_gb = lab.egress_gb if lab else Decimal(0)
    costs = [
        figure(_load(task, resources, egress_gb), catalog, machine, hours).usd if machine else None
        for resources in task.resources
        if not unbilled(resources)
        for machine in big_enough(resources, catalog) or (None,)
    ]
    known = [usd for usd in costs if usd is not None]
    if len(known) < len(costs):
        message = "can become a machine whose price is not known; allowed: those that the catalog prices"
        raise InputError(Problem(path=task.name or "task", key="resources", message=message))
    return max(known, default=Decimal(0)).quantize(MICRO, ROUND_CEILING)


def _load(task: Any, resources: Any, egress_gb: Decimal) -> Load:
    autostop = resources.autostop_config
    return Load(
        # A spot machine costs no more than it does on demand, and its price of the next hours nobody knows.
        use_spot=False,
        num_nodes=task.num_nodes,
        disk_size_gb=resources.disk_size,
        # Where a controller ends the machine with its job, nothing is idle.
        idle_minutes=autostop.idle_minutes if autostop else 0,
        egress_gb=egress_gb,
    )


def _lab(task: Any, tags: Tags) -> Lab | None:
    """The lab that the task's label names, where its repository has it."""
    path = root_of(task) / "labs" / f"{tags.lab}.yaml"
    return Lab.load(path) if path.is_file() else None
