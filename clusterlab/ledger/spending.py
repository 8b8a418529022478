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
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro, to_micro_usd
from clusterlab.ledger.journal import Journal
from clusterlab.ledger.standing import Standing

NOTHING = Total()
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


def spendings(standing: Standing, now: datetime) -> list[Spending]:
    """What is spent of every budget that has a cap or holds something, students first."""
    unused: dict[tuple[Scope, str], Total] = {}
    for each in standing.opened.values():
        total = each.used(now)
        rest = Total(usd=from_micro(each.held_micro_usd) - total.usd, num_unknown=total.num_unknown)
        for scope, name in each.names.items():
            if name is not None:
                unused[scope, name] = unused.get((scope, name), NOTHING) + rest
    found = [_spending(each, unused.get(key, NOTHING)) for key, each in standing.budgets.items()]
    return sorted(found, key=lambda each: (ORDER[each.budget.scope], each.budget.name))


def accrue(journal: Journal, standing: Standing) -> list[Entry]:
    """Hold what is in use now beyond what its run holds; the rows that are added, one a run."""
    added = []
    for each in standing.opened.values():
        going_on = [interval for interval in each.intervals.values() if interval.end is None]
        overrun = to_micro_usd(each.used(journal.at).usd) - each.held_micro_usd if going_on else 0
        if overrun > 0:
            last = going_on[-1]
            owner = Owner(**{name: getattr(last, name) for name in OWNERS})
            key = interval_key(last)
            added.append(journal.append(Kind.INTERVAL, owner, micro_usd=overrun, interval=key, detail=last.as_json()))
    return added


def _spending(budget: Budget, unused: Total) -> Spending:
    usd = max(Decimal(0), budget.held_usd - unused.usd)
    return Spending(budget=budget, spent=Total(usd=usd, num_unknown=unused.num_unknown))
