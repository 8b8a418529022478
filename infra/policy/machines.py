"""Rules of machines: what they may cost, and that no forged request gets at their credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pulumi_policy import PolicyResource

from clusterlab.catalog import Catalog
from clusterlab.course.rates import INSTANCE, LAUNCH_TEMPLATE, NODE_GROUP, Machines, machine_usd, machines
from infra.policy.rule import Resource, Terms

FLEETS = (
    "aws:autoscaling/group:Group",
    "aws:ec2/fleet:Fleet",
    "aws:ec2/spotFleetRequest:SpotFleetRequest",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
)
"""What chooses its machines itself, at prices that nobody can say before."""


def imds_v2(resource: Resource, terms: Terms) -> Iterator[str]:
    """Every machine, and whatever launches machines, asks for a token before it hands out credentials (IMDSv2)."""
    del terms
    if resource.resource_type in (INSTANCE, LAUNCH_TEMPLATE):
        options = resource.props.get("metadataOptions") or {}
        if options.get("httpTokens") != "required" and options.get("httpEndpoint") != "disabled":
            yield "hands out credentials without a token; allowed: metadataOptions.httpTokens=required"
    if resource.resource_type == NODE_GROUP and not resource.props.get("launchTemplate"):
        yield "has no launch template, so that nothing asks for IMDSv2; allowed: with one"


def price(resource: Resource, terms: Terms) -> Iterator[str]:
    """No machine costs more an hour than the class allows for one, and none has a price that is not known."""
    cap, catalog = Decimal(str(terms.get("maxUsdPerHour", 0))), Catalog.load()
    if resource.resource_type in FLEETS:
        yield "chooses its machines itself: its price is unknown; allowed: instances and node groups"
    for asked in machines(resource.resource_type, resource.props):
        usd = machine_usd(asked, _region(resource, asked, terms), catalog)
        if usd is None:
            where = _region(resource, asked, terms) or "an unknown region"
            yield f"the price of {asked.name or 'an unknown type'} in {where} is unknown; allowed: one in the catalog"
        elif usd > cap:
            yield f"{asked.name} costs {usd} USD an hour; allowed: {cap}"


def stack_price(resources: Sequence[PolicyResource], terms: Terms) -> Iterator[tuple[Resource | None, str]]:
    """All machines of a stack together cost no more an hour than the class's budget bears to its end."""
    cap, catalog = Decimal(str(terms.get("maxStackUsdPerHour", 0))), Catalog.load()
    total, parts = Decimal(0), []
    for resource in resources:
        for asked in machines(resource.resource_type, resource.props):
            usd = machine_usd(asked, _region(resource, asked, terms), catalog)
            if usd and asked.count:
                total += usd * asked.count
                parts.append(f"{resource.name} {asked.count} x {asked.name}")
    if total > cap:
        yield None, f"its machines cost {total} USD an hour together ({', '.join(parts)}); allowed: {cap:.4f}"


def _region(resource: Resource, asked: Machines, terms: Terms) -> str:
    """Where a machine is: by itself, by its zone, by its provider, else where the class is at home."""
    props: Mapping[str, Any] = resource.props
    zone = str(props.get("availabilityZone") or props.get("zone") or "")
    by_zone = zone[:-1] if asked.cloud == "aws" else zone.rpartition("-")[0]
    by_provider = resource.provider.props.get("region") if resource.provider else None
    return str(props.get("region") or by_zone or by_provider or terms.get("regions", {}).get(asked.cloud, ""))
