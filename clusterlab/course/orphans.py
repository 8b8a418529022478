"""What an account has of a class, by its tag, that the state of its stack does not know.

An update that was killed between the call that makes a machine and the state that says so leaves such a machine, and
no `destroy` ends what the state does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusterlab.catalog import Catalog
from clusterlab.cost.total import Total
from clusterlab.course.rates import Machines, machine_usd
from clusterlab.errors import ClusterlabError
from clusterlab.lease import OWNED
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.listing import EVERYWHERE
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Scan, scan

if TYPE_CHECKING:
    from clusterlab.google.compute import Compute

GROUP_TAG = "aws:autoscaling:groupName"
"""By which a machine says which group of machines made it; nobody but AWS writes it."""
FREE = (Kind.LAUNCH_TEMPLATE, Kind.NETWORK_INTERFACE, Kind.SECURITY_GROUP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """One resource that the state does not know."""

    resource: Resource
    usd: Decimal | None
    """An hour; None where it is not known."""
    launched: bool
    """Whether a launch made it, and not the stack: it has a lease, and the reaper."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values; the price an hour is `unknown` where it is not known."""
        each = self.resource
        return {
            "kind": each.kind.value,
            "id": each.id,
            "region": each.region,
            "shape": each.shape,
            "usd_per_hour": "unknown" if self.usd is None else f"{self.usd:f}",
        }


def find(
    cloud: Cloud | None, course: str, known: Iterable[str], catalog: Catalog, *, google: Compute | None = None
) -> list[Orphan]:
    """Look through all regions of an account, and through a project of Google Cloud, for what the state does not know.

    Raises:
        InputError: the cloud takes no credentials of ours.
        UnreachableError: it does not answer.
        ClusterlabError: some region could not be looked at, so that nobody knows what is there.
    """
    seen = look(cloud, course, google)
    if seen.failed:
        lines = "\n".join(map(str, seen.failed))
        raise ClusterlabError(f"{lines}\nclass {course}: not looked at everywhere; what is there is not known")
    return of_scan(seen, frozenset(known), catalog)


def look(cloud: Cloud | None, course: str, google: Compute | None) -> Scan:
    """All that bears the course's tag, and what could not be looked at.

    Raises:
        InputError: the cloud takes no credentials of ours.
        UnreachableError: it does not answer.
    """
    from clusterlab.google.scan import scan as scan_google

    question = Question(courses=frozenset([course]))
    scans = [scan(cloud, cloud.regions(), question)] if cloud else []
    scans += [scan_google(google, course)] if google else []
    return together(scans)


def together(scans: Iterable[Scan]) -> Scan:
    """Looks at several clouds as one."""
    scans = tuple(scans)
    return Scan(
        resources=tuple(each for seen in scans for each in seen.resources),
        looks=tuple(each for seen in scans for each in seen.looks),
    )


def of_scan(seen: Scan, known: frozenset[str], catalog: Catalog) -> list[Orphan]:
    """What of a scan the state does not know, nor belongs to what it knows, such as the root disk of a machine."""
    ours = {each.id for each in seen.resources if _is_known(each, known)}
    left = [each for each in seen.resources if each.id not in ours and not each.used_by & ours]
    return [
        Orphan(
            resource=each,
            usd=usd_of(each, catalog),
            launched=each.kind is Kind.UPLOAD or any(tag in each.tags for tag in OWNED),
        )
        for each in left
    ]


def told(orphans: Iterable[Orphan]) -> Iterator[str]:
    """A line for each, with what it costs, and one for the sum."""
    listed = list(orphans)
    for each in listed:
        made = f"  made {each.resource.created:%Y-%m-%d %H:%M} UTC" if each.resource.created else ""
        yield f"{each.resource.region}  {each.resource}  {dollars(each.usd)}{made}"
    total = Total.of(each.usd for each in listed)
    yield f"{len(listed)} not in the state, {total} USD an hour"


def dollars(usd: Decimal | None) -> str:
    """An hour's price."""
    return "unknown USD/h" if usd is None else f"{usd:.4f} USD/h"


def _is_known(each: Resource, known: frozenset[str]) -> bool:
    return each.id in known or each.tags.get(GROUP_TAG) in known


def usd_of(each: Resource, catalog: Catalog) -> Decimal | None:
    """What a resource costs an hour; None where that is not known."""
    if each.kind is Kind.INSTANCE:
        # What is stopped costs nothing itself; its disk is listed beside it.
        asked = Machines(cloud=each.cloud, name=each.shape, count=1)
        return machine_usd(asked, each.region, catalog) if each.runs else Decimal(0)
    return Decimal(0) if each.kind in FREE and each.region != EVERYWHERE else None
