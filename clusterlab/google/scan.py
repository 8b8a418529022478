"""One look at a project of Google Cloud, by the label `course`: machines, disks and addresses, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clusterlab.errors import ClusterlabError
from clusterlab.google.compute import Compute, GoogleError
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Look, Scan

STATES = {"PROVISIONING": "pending", "STAGING": "pending", "TERMINATED": "stopped"}
"""Those that have another name in EC2, and mean the same."""
PREFIX = "projects/"
"""Of the id of whatever lies in Google Cloud, as Pulumi writes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    kind: Kind
    collection: str
    read: Callable[[str, str, dict[str, Any]], Resource]


def scan(compute: Compute, course: str) -> Scan:
    """List every kind; a failure, or a zone that does not answer, ends one look and is told by it."""
    found: list[Resource] = []
    looks: list[Look] = []
    for listing in LISTINGS:
        faults: list[str] = []
        where = f"gcp/{compute.project}"
        try:
            found += _listed(compute, listing, course, faults)
        except (GoogleError, ClusterlabError) as error:
            faults.append(str(error))
        errors: list[str | None] = [*faults] or [None]
        looks += [Look(region=where, service="compute", kind=listing.kind, error=each) for each in errors]
    return Scan(resources=tuple(found), looks=tuple(looks))


def _listed(compute: Compute, listing: _Listing, course: str, faults: list[str]) -> Iterator[Resource]:
    for scope, answer in compute.aggregated(listing.collection, f'labels.course="{course}"'):
        code = (answer.get("warning") or {}).get("code")
        if code not in (None, "NO_RESULTS_ON_PAGE"):
            faults.append(f"{scope}: {code}")
        for item in answer.get(listing.collection) or ():
            # Whatever the filter let through.
            if (item.get("labels") or {}).get("course") == course:
                yield listing.read(
                    f"{PREFIX}{compute.project}/{scope}/{listing.collection}/{item['name']}", scope, item
                )


def _instance(name: str, scope: str, item: dict[str, Any]) -> Resource:
    disks = [each for each in item.get("disks") or () if each.get("autoDelete") and each.get("source")]
    state = str(item.get("status", ""))
    return Resource(
        kind=Kind.INSTANCE,
        id=name,
        region=_region(scope),
        zone=scope.rpartition("/")[2],
        tags=dict(item["labels"]),
        created=_instant(item),
        shape=str(item.get("machineType", "")).rpartition("/")[2],
        state=STATES.get(state, state.lower()),
        disks=frozenset(_path(each["source"]) for each in disks),
        spot=(item.get("scheduling") or {}).get("provisioningModel") == "SPOT",
    )


def _disk(name: str, scope: str, item: dict[str, Any]) -> Resource:
    return Resource(
        kind=Kind.VOLUME,
        id=name,
        region=_region(scope),
        tags=dict(item["labels"]),
        created=_instant(item),
        shape=f"{item.get('sizeGb', '?')} GB",
        state=str(item.get("status", "")).lower(),
        used_by=frozenset(map(_path, item.get("users") or ())),
    )


def _address(name: str, scope: str, item: dict[str, Any]) -> Resource:
    return Resource(
        kind=Kind.ADDRESS,
        id=name,
        region=_region(scope),
        tags=dict(item["labels"]),
        created=_instant(item),
        shape=str(item.get("address", "")),
        state=str(item.get("status", "")).lower(),
        used_by=frozenset(map(_path, item.get("users") or ())),
    )


LISTINGS = (
    _Listing(kind=Kind.INSTANCE, collection="instances", read=_instance),
    _Listing(kind=Kind.ADDRESS, collection="addresses", read=_address),
    _Listing(kind=Kind.VOLUME, collection="disks", read=_disk),
)


def _region(scope: str) -> str:
    """Of `zones/us-east1-b` and of `regions/us-east1` the region; `global` is one of its own."""
    kind, _, name = scope.partition("/")
    return name.rpartition("-")[0] if kind == "zones" else name or kind


def _path(url: str) -> str:
    """A link to a resource as its id."""
    return PREFIX + url.partition(f"/{PREFIX}")[2] if f"/{PREFIX}" in url else url


def _instant(item: dict[str, Any]) -> datetime | None:
    made = item.get("creationTimestamp")
    return datetime.fromisoformat(made).astimezone(UTC) if made else None
