"""The bill of the emulated cloud: its own record of machines, at the catalog's prices, as an export in FOCUS 1.0.

No word of the meter is in it, nor of EC2's answers: the times are those at which the calls to start, stop and end
machines went through. As a cloud's it has a line for each resource and hour, and each line says that it is emulated.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.bill.focus import MANDATORY
from clusterlab.bill.month import month_of
from clusterlab.catalog import HOURS_PER_MONTH, Kind
from clusterlab.cost.money import CURRENCY
from clusterlab.rehearsal import account
from clusterlab.rehearsal.backend import ACCOUNT
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.reaper.resource import Resource
    from clusterlab.rehearsal.cloud import Call
    from clusterlab.rehearsal.course.course import Course

BILL = "emulated-bill.csv"
PROVIDER = "AWS (emulated)"
ISSUER = "clusterlab rehearse: no invoice, nothing was bought"
DISK = "gp3"
"""What SkyPilot takes for a root disk."""
ON = ("RunInstances", "StartInstances")
GONE = "TerminateInstances"
HOUR = timedelta(hours=1)
FINEST = Decimal("1e-10")
"""Of a dollar; so AWS writes what an hour costs."""
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
COLUMNS = (*MANDATORY, "RegionId", "ResourceId", "Tags")


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """A machine or a disk, for as long as it was billed without a break."""

    resource: str
    what: str
    """Its type and how it is paid for."""
    service: str
    region: str
    tags: Mapping[str, str]
    start: datetime
    end: datetime
    usd_per_hour: Decimal

    @property
    def usd(self) -> Decimal:
        """Not rounded."""
        return _hours(self.end - self.start) * self.usd_per_hour

    def by_hour(self) -> Iterator[tuple[datetime, Decimal]]:
        """Each hour of the clock that it touches, with how much of that."""
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        while hour < self.end:
            yield hour, _hours(min(self.end, hour + HOUR) - max(self.start, hour))
            hour += HOUR


def charges(course: Course) -> list[Charge]:
    """What all machines and their disks cost until now.

    Raises:
        StepError: a price is not in the catalog.
    """
    machines = {each.id: each for each in account.launched()}
    calls = [call for call in course.cloud.calls if call.error is None]
    found: list[Charge] = []
    for begun in (call for call in calls if call.action == "RunInstances"):
        for instance, disk in zip(begun.instances, begun.disks, strict=True):
            of_it = [call for call in calls if instance in call.instances]
            found += _of_machine(course, machines[instance], of_it)
            found.append(_of_disk(course, machines[instance], disk, begun.disk_gb, of_it))
    return found


def write_bill(found: Iterable[Charge], path: Path) -> None:
    """Write an export of charges."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS)
        writer.writeheader()
        for each in found:
            writer.writerows(_row(each, hour, part) for hour, part in each.by_hour())


def billed(path: Path) -> Decimal:
    """The sum of an export's rows."""
    with path.open(newline="") as file:
        return sum((Decimal(row["BilledCost"]) for row in csv.DictReader(file)), Decimal(0))


def _of_machine(course: Course, machine: Resource, calls: Sequence[Call]) -> Iterator[Charge]:
    """From each start to the stop or end that follows."""
    row = course.catalog.row(Kind.MACHINE, "aws", machine.region, machine.shape)
    price = row.usd(spot=machine.spot) if row else None
    began: datetime | None = None
    for call in calls:
        if call.action in ON:
            began = began or call.at
        elif began is not None:
            yield _charge(machine, machine.id, _how(machine), (began, call.at), price)
            began = None
    if began is not None:
        yield _charge(machine, machine.id, _how(machine), (began, course.clock.now()), price)


def _of_disk(course: Course, machine: Resource, disk: str, disk_gb: int, calls: Sequence[Call]) -> Charge:
    """From its machine's first start to its end."""
    row = course.catalog.row(Kind.DISK, "aws", machine.region, DISK)
    gb_month = row.on_demand_usd if row else None
    price = None if gb_month is None else gb_month * disk_gb / HOURS_PER_MONTH
    gone = next((call.at for call in calls if call.action == GONE), course.clock.now())
    return _charge(machine, disk, f"{disk_gb} GB of {DISK}", (calls[0].at, gone), price)


def _charge(
    machine: Resource, resource: str, what: str, period: tuple[datetime, datetime], price: Decimal | None
) -> Charge:
    if price is None:
        raise StepError(f"{machine}: {what}: the price is not in the catalog")
    start, end = period
    return Charge(
        resource=resource,
        what=what,
        service="AmazonEC2",
        region=machine.region,
        tags=machine.tags,
        start=start,
        end=end,
        usd_per_hour=price,
    )


def _how(machine: Resource) -> str:
    return f"{machine.shape}, {'spot' if machine.spot else 'on demand'}"


def _row(each: Charge, hour: datetime, part: Decimal) -> dict[str, str]:
    usd = f"{(part * each.usd_per_hour).quantize(FINEST):f}"
    month, after = month_of(hour)
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), usd),
        "BillingAccountId": ACCOUNT,
        "BillingAccountName": "emulated",
        "BillingCurrency": CURRENCY,
        "BillingPeriodStart": month.strftime(INSTANT),
        "BillingPeriodEnd": after.strftime(INSTANT),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"emulated: {each.what}",
        "ChargePeriodStart": hour.strftime(INSTANT),
        "ChargePeriodEnd": (hour + HOUR).strftime(INSTANT),
        "InvoiceIssuerName": ISSUER,
        **dict.fromkeys(("ProviderName", "PublisherName"), PROVIDER),
        "PricingQuantity": f"{part.quantize(FINEST):f}",
        "PricingUnit": "Hours",
        "ServiceCategory": "Compute",
        "ServiceName": each.service,
        "RegionId": each.region,
        "ResourceId": each.resource,
        "Tags": json.dumps(dict(each.tags), sort_keys=True),
    }


def _hours(length: timedelta) -> Decimal:
    return Decimal(str(length.total_seconds())) / 3600
