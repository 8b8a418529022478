"""Which threshold of its cap a budget has passed, and which resources are over once it is spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from clusterlab.lease import OWNED, Lease
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.spending import Spending
from clusterlab.reaper.resource import Kind, Resource

THRESHOLDS = (50, 80, 100)
"""In % of a cap."""
SPENT = 100
OPEN = Lease(until=datetime.max.replace(tzinfo=UTC), why="no budget that it counts against is spent")


def passed(spending: Spending) -> int:
    """The highest threshold, in %, that is spent; 0 for none, and where there is no cap or nothing is spent.

    What has no known price counts as nothing here, so this is the least that it can be.
    """
    cap, usd = spending.budget.cap_usd, spending.spent.usd
    # Of a course's thousands of budgets most are below the first.
    if cap is None or usd <= 0 or usd * 100 < cap * THRESHOLDS[0]:
        return 0
    return max(percent for percent in THRESHOLDS if usd * 100 >= cap * percent)


def of_course(spendings: Iterable[Spending], course: str) -> list[Spending]:
    """Those that have a cap, without other courses; a student's or a team's budget does not say of which it is."""
    capped = (each for each in spendings if each.budget.cap_usd is not None)
    return [each for each in capped if each.budget.scope is not Scope.COURSE or each.budget.name == course]


def lease_of(resource: Resource, made: datetime, spent: Sequence[Spending]) -> Lease:
    """The lease of a resource while these budgets are spent: over, or without an end.

    Over is what a launch of theirs made, and each machine that bears their name. What a class shares, such as its file
    system, is not: its end is its lease's.
    """
    if resource.kind is not Kind.INSTANCE and not any(tag in resource.tags for tag in OWNED):
        return OPEN
    for each in spent:
        if resource.tags.get(each.budget.scope.value) == each.budget.name:
            return Lease(until=made, why=f"over budget: {told(each)}")
    return OPEN


def told(spending: Spending) -> str:
    """A budget on one line, such as `student ana: 16.20 of 20.00 USD spent`."""
    budget, least = spending.budget, "" if spending.spent.complete else "at least "
    cap = "" if budget.cap_usd is None else f" of {budget.cap_usd:.2f}"
    return f"{budget.scope} {budget.name}: {least}{spending.spent.usd:.2f}{cap} USD spent"
