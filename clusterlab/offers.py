"""The machines of the catalog that SkyPilot's resources can become."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from clusterlab.catalog import LOCAL, Catalog, Kind, Row
from clusterlab.infra import infra_of
from clusterlab.lab import MINIMUM

UNBILLED = {"slurm", "kubernetes", "ssh"}
"""Infrastructure that has no price in the catalog, and needs none."""
PLACES: dict[str, Callable[[Row], str]] = {
    "cloud": lambda row: row.cloud,
    "region": lambda row: row.region,
    "instance_type": lambda row: row.name,
}
"""What resources may ask for by name, and what a row has there, where case does not count."""


def unbilled(resources: Any) -> bool:
    """Whether nobody is billed for what these resources become."""
    return asked_for(resources, "cloud") in UNBILLED


def priced(resources: Any, catalog: Catalog) -> bool:
    """Whether they can become something whose price the catalog has, or needs not."""
    return unbilled(resources) or bool(machines_of(resources, catalog))


def machines_of(resources: Any, catalog: Catalog) -> list[Row]:
    """The catalog's machines that these resources can become, by place and accelerators."""
    accelerators = wanted(resources)
    # Read once, not for each row: a launch is held against the catalog several times.
    asked = [(asked_for(resources, key), read) for key, read in PLACES.items()]
    named = [(name, read) for name, read in asked if name is not None]
    return [
        row
        for row in clouds(catalog)
        if all(name == read(row).lower() for name, read in named)
        and (not accelerators or (row.accelerator, row.accelerator_count) in accelerators.items())
    ]


def big_enough(resources: Any, catalog: Catalog) -> list[Row]:
    """Those of them with as many CPUs and as much memory as is asked for, and no accelerators where none are."""
    rows = machines_of(resources, catalog)
    if resources.instance_type:
        return rows
    vcpus, memory_gib = _least(resources.cpus), _least(resources.memory)
    return [
        row
        for row in rows
        if (row.vcpus or 0) >= vcpus
        and (row.memory_gib or 0) >= memory_gib
        and bool(row.accelerator) == bool(wanted(resources))
    ]


def placed(resources: Any, catalog: Catalog) -> list[Any]:
    """These resources once for each place where the catalog has a machine for them, and bound to it.

    SkyPilot would else look wherever a cloud lets it, at prices that nobody planned for.
    """
    if unbilled(resources):
        return [resources]
    places = dict.fromkeys(infra_of(row) for row in machines_of(resources, catalog))
    # SkyPilot refuses to be told of both a cloud and an infra.
    return [
        resources.copy(region=place.region) if resources.cloud else resources.copy(infra=str(place)) for place in places
    ]


def wanted(resources: Any) -> dict[str, int]:
    """The accelerators that are asked for; an instance type says it all, and SkyPilot fails on one unknown to it."""
    return {} if resources.instance_type else resources.accelerators or {}


def clouds(catalog: Catalog) -> list[Row]:
    """The machines of all clouds."""
    return [row for row in catalog.rows if row.kind is Kind.MACHINE and row.cloud != LOCAL]


def asked_for(resources: Any, key: str) -> str | None:
    """What is asked for by name; None for any."""
    value = getattr(resources, key)
    return None if value is None else str(value).lower()


def _least(amount: str | None) -> Decimal:
    """What SkyPilot writes as `4+` or `4`."""
    match = MINIMUM.match(f"{amount}+") if amount else None
    return Decimal(match.group(1)) if match else Decimal(0)
