"""One look at an account: every kind in every region, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from clusterlab.reaper.cloud import ERRORS, Cloud, told
from clusterlab.reaper.listing import BATCH, EVERYWHERE, LISTINGS, Listing
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import Kind, Resource

STRAYS = {Kind.INSTANCE: "i-", Kind.VOLUME: "vol-", Kind.ADDRESS: "eipalloc-"}
"""What can be asked for by its id, and how such an id begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One service's list of one kind in one region, and what kept us from it."""

    region: str
    service: str
    kind: Kind
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the proof."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.region}: {self.service}: {self.kind}s: {self.error or 'scanned'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What was found, and where it was looked for."""

    resources: tuple[Resource, ...]
    looks: tuple[Look, ...]

    @property
    def failed(self) -> list[Look]:
        """What could not be looked at; whatever is there is not known."""
        return [look for look in self.looks if look.error]

    def again(self, newer: Scan) -> Scan:
        """This scan with the regions that a newer one looked at as they are now."""
        regions = {look.region for look in newer.looks}
        return Scan(
            resources=(*(each for each in self.resources if each.region not in regions), *newer.resources),
            looks=(*(look for look in self.looks if look.region not in regions), *newer.looks),
        )


def scan(
    cloud: Cloud, regions: Sequence[str], question: Question, *, kinds: Iterable[Kind] = Kind, everywhere: bool = True
) -> Scan:
    """List every kind in each region, and with `everywhere` what is listed once for all; a failure ends one look."""
    wanted, places = set(kinds), list(regions)
    asked = [
        (listing, region)
        for listing in LISTINGS
        if listing.kind in wanted
        for region in ([EVERYWHERE] if listing.everywhere and everywhere else [] if listing.everywhere else places)
    ]
    found = cloud.side_by_side(lambda pair: _look(cloud, pair[0], pair[1], question), asked)
    return Scan(
        resources=tuple(resource for resources, _ in found for resource in resources),
        looks=tuple(look for _, look in found),
    )


def _look(cloud: Cloud, listing: Listing, region: str, question: Question) -> tuple[list[Resource], Look]:
    error: str | None = None
    found: list[Resource] = []
    try:
        client = cloud.client(listing.service, cloud.home if listing.everywhere else region)
        found = [each for each in listing.find(client, region, question) if question.wants(each.tags)]
        found += _strays(listing, client, region, question, {each.id for each in found})
    except ERRORS as problem:
        error = told(problem)
    return found, Look(region=region, service=listing.service, kind=listing.kind, error=error)


def _strays(listing: Listing, client: Any, region: str, question: Question, found: set[str]) -> Iterator[Resource]:
    """What is known to be theirs and lost its tag; what bears another course's is that course's."""
    prefix = STRAYS.get(listing.kind)
    wanted = sorted(each for each in question.strays.get(region, ()) if prefix and each.startswith(prefix))
    asked = [each for each in wanted if each not in found]
    for start in range(0, len(asked), BATCH):
        only = replace(question, only=tuple(asked[start : start + BATCH]))
        yield from (each for each in listing.find(client, region, only) if "course" not in each.tags)
