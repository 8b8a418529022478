"""The rule that a stack which costs something has the class's budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pulumi_policy import PolicyResource

from clusterlab.course.rates import INSTANCE, LAUNCH_TEMPLATE, UNPRICED, machines
from infra.policy.rule import Resource, Terms

BUDGETS = {"aws": "aws:budgets/budget:Budget", "gcp": "gcp:billing/budget:Budget"}


def budget(resources: Sequence[PolicyResource], terms: Terms) -> Iterator[tuple[Resource | None, str]]:
    """A stack with anything that costs money has, in that cloud, a budget of what the class may spend."""
    limit = Decimal(str(terms.get("limitUsd", 0)))
    for cloud, kind in BUDGETS.items():
        costly = [each for each in resources if _costs(each) and each.resource_type.startswith(f"{cloud}:")]
        found = [each for each in resources if each.resource_type == kind]
        if costly and not found:
            yield costly[0], f"costs money, and the stack has no {kind}; allowed: one of {limit} USD"
        for each in found:
            given = _limit(each.props)
            if given != limit:
                yield each, f"its limit is {'unknown' if given is None else given} USD; allowed: the class's, {limit}"


def _costs(resource: Resource) -> bool:
    kind = resource.resource_type
    return kind in UNPRICED or kind in (INSTANCE, LAUNCH_TEMPLATE) or bool(machines(kind, resource.props))


def _limit(props: Mapping[str, Any]) -> Decimal | None:
    """In USD; None where it says none, or another currency."""
    amount = (props.get("amount") or {}).get("specifiedAmount") or {}
    if props.get("limitAmount") is not None and props.get("limitUnit") == "USD":
        return Decimal(str(props["limitAmount"]))
    if amount.get("units") is not None and amount.get("currencyCode") == "USD":
        return Decimal(str(amount["units"])) + Decimal(str(amount.get("nanos") or 0)) / 10**9
    return None
