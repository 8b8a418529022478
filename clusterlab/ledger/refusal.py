"""What the ledger's verbs refuse: a run that is another's, a use that is on record otherwise, an early settlement."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from clusterlab.cost.interval import Interval
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import Account, used
from clusterlab.ledger.entry import Entry, Owner
from clusterlab.ledger.reservation import Reservation


def check_same(held: Entry, asked: Reservation) -> None:
    """Refuse a run that is another's already, or that asks for more than was reserved for it."""
    if held.owner != asked.owner or asked.usd > held.usd:
        message = f"reserved {held.usd:.2f} USD for {held.student}, {held.lab}; allowed: a run of its own"
        raise wrong(asked.run, message)


def check_owner(account: Account, owner: Owner) -> None:
    """Refuse use of a run by somebody else."""
    first = account.entries[0].owner if account.entries else owner
    if first != owner:
        raise wrong(owner.run or "", f"is of {first.student}, {first.lab}, not of {owner.student}, {owner.lab}")


def check_continues(known: Entry, interval: Interval) -> bool:
    """Whether an interval is on record as it is; else it may but end one that goes on."""
    before = Interval.from_json(json.loads(known.detail))
    if before == interval or (interval.end is None and replace(before, end=None) == interval):
        return True
    if before.end is not None or replace(interval, end=None) != before:
        changed = [name for name in Interval.__dataclass_fields__ if getattr(before, name) != getattr(interval, name)]
        message = f"on record with another {', '.join(changed)}; allowed: its end, once, or a correction of its run"
        raise InputError(Problem(path=f"interval of {interval.resource_id}", message=message))
    return False


def final(run: str, account: Account) -> Decimal:
    """What a run used in all, where that is known."""
    going_on = [each.resource_id for each in account.intervals if each.end is None]
    unknown = [each.resource_id for each in account.intervals if each.price_usd_per_hour is None]
    if going_on or unknown or not account.intervals:
        faults = [f"{', '.join(going_on)} goes on"] if going_on else []
        faults += [f"the price of {', '.join(unknown)} is not known"] if unknown else []
        raise wrong(run, f"cannot be settled: {'; '.join(faults) or 'no use of it is on record'}")
    return used(account.intervals, max(each.end for each in account.intervals if each.end)).usd


def wrong(run: str, message: str) -> InputError:
    """What is said of a run."""
    return InputError(Problem(path="ledger", key=f"run {run}", message=message))
