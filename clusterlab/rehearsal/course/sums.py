"""What a class's rehearsal cost, summed again by others: by cells, by kinds, by the file, and by EC2's own times."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.catalog import HOURS_PER_MONTH, Kind
from clusterlab.rehearsal import account
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.reaper.resource import Resource
    from clusterlab.rehearsal.cloud import Call
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.report.summary import Summary

DISK = "gp3"
"""What SkyPilot takes for a root disk."""
OFF = ("StopInstances", "TerminateInstances")
COLUMNS = ("student", "lab", "usd", "passed", "failed")


def write_csv(summary: Summary, path: Path) -> None:
    """A line for each student and lab; what is nobody's has no name."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each in summary.cells:
            writer.writerow([each.student or "", each.lab or "", f"{each.usd:.2f}", each.num_passed, each.num_failed])


def check_sums(summary: Summary, path: Path) -> None:
    """Whether the cents of the cells, of the kinds and of the file are the total's, and that of all intervals.

    Raises:
        StepError: they are not.
    """
    total, at = summary.total, summary.facts.at
    with path.open(newline="") as file:
        written = sum((Decimal(line["usd"]) for line in csv.DictReader(file)), Decimal(0))
    intervals = sum((each.usd(at) or Decimal(0) for each in summary.facts.intervals), Decimal(0))
    sums = {
        "cells": sum((each.usd for each in summary.cells), Decimal(0)),
        "kinds": sum((each.usd for each in summary.kinds), Decimal(0)),
        path.name: written,
        "intervals": intervals.quantize(Decimal("0.01")),
    }
    wrong = [f"{name}: {usd}" for name, usd in sums.items() if usd != total.usd]
    if wrong or not total.metered.complete:
        raise StepError(f"the total is {total.shown} USD; {', '.join(wrong) or 'a price is not known'}")


def by_the_cloud(course: Course) -> Decimal:
    """What machines and their disks cost by when the cloud was asked to start, stop and end them.

    No word of the meter is in it, nor of EC2's answers: the times are those at which the calls went through.
    """
    shapes = {each.id: each for each in account.launched()}
    calls = [call for call in course.cloud.calls if call.error is None]
    usd = Decimal(0)
    for begun in (call for call in calls if call.action == "RunInstances"):
        for instance in begun.instances:
            later = [call for call in calls if instance in call.instances and call.at >= begun.at]
            usd += _usd(course, shapes[instance], begun.disk_gb, later)
    return usd


def _usd(course: Course, machine: Resource, disk_gb: int, calls: Sequence[Call]) -> Decimal:
    """From its start to its stop or end for the machine, to its end for the disk."""
    began, now = calls[0].at, course.clock.now()
    gone = next((call.at for call in calls if call.action == "TerminateInstances"), now)
    halted = next((call.at for call in calls if call.action in OFF), now)
    row = course.catalog.row(Kind.MACHINE, "aws", machine.region, machine.shape)
    disk = course.catalog.row(Kind.DISK, "aws", machine.region, DISK)
    price, gb_month = row.usd(spot=machine.spot) if row else None, disk.on_demand_usd if disk else None
    if price is None or gb_month is None:
        raise StepError(f"{machine}: its price, or that of {DISK}, is not in the catalog")
    return _hours(halted - began) * price + _hours(gone - began) * gb_month * disk_gb / HOURS_PER_MONTH


def _hours(length: timedelta) -> Decimal:
    return Decimal(str(length.total_seconds())) / 3600
