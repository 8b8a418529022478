"""What of a budget is spent until now: what it holds, without what its launches reserved and have not used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from clusterlab.cost.interval import OWNERS
from clusterlab.cost.total import Total
from clusterlab.ledger.account import interval_key
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro
from clusterlab.ledger.journal import Journal
from clusterlab.ledger.standing import Standing

NOTHING = Total()
Key = tuple[Scope, str]
"""Whose a budget is."""
ORDER = {scope: number for number, scope in enumerate(Scope)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """A budget, and what of it is spent."""

    budget: Budget
    spent: Total
    """What settled runs hold, and what the others used until now; incomplete where a price of these is not known."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return self.budget.as_json() | {"spent": self.spent.as_json()}


def spendings(standing: Standing, now: datetime, known: dict[Key, Spending]) -> list[Spending]:
    """What is spent of every budget that has a cap or holds something, students first.

    Args:
        standing: What the rows come to.
        now: Until when.
        known: What was told of each budget when it held no open run; kept from call to call, since of a course's
            thousands of budgets few change between two.
    """
    unused = _unused(standing, now)
    if known.keys() != standing.budgets.keys():
        order = sorted(standing.budgets, key=lambda key: (ORDER[key[0]], key[1]))
        known.clear()
        known |= {key: _spending(standing.budgets[key], NOTHING) for key in order}
    return [_of_budget(key, standing.budgets[key], unused.get(key), known) for key in known]


def accrue(journal: Journal, standing: Standing) -> list[Entry]:
    """Hold what is in use now beyond what its run holds; the rows that are added, one a run."""
    added = []
    for each in standing.opened.values():
        overrun = each.overrun_micro_usd(journal.at)
        if overrun:
            last = each.going_on[-1]
            owner = Owner(**{name: getattr(last, name) for name in OWNERS})
            key = interval_key(last)
            added.append(journal.append(Kind.INTERVAL, owner, micro_usd=overrun, interval=key, detail=last.as_json()))
    return added


def _unused(standing: Standing, now: datetime) -> dict[Key, Total]:
    """By budget what its open runs hold and have not used."""
    unused: dict[Key, Total] = {}
    for each in standing.opened.values():
        total = each.used(now)
        rest = Total(usd=from_micro(each.held_micro_usd) - total.usd, num_unknown=total.num_unknown)
        for key in each.budgets:
            unused[key] = unused.get(key, NOTHING) + rest
    return unused


def _of_budget(key: Key, budget: Budget, unused: Total | None, known: dict[Key, Spending]) -> Spending:
    if unused is not None:
        return _spending(budget, unused)
    if known[key].budget is not budget:
        known[key] = _spending(budget, NOTHING)
    return known[key]


def _spending(budget: Budget, unused: Total) -> Spending:
    usd = max(Decimal(0), budget.held_usd - unused.usd)
    return Spending(budget=budget, spent=Total(usd=usd, num_unknown=unused.num_unknown))
