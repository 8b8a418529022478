"""Use put on record: once when it begins, once more when it has ended, and never otherwise."""

from __future__ import annotations

import json
from dataclasses import replace

from clusterlab.cost.interval import OWNERS, Interval
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import Account, interval_key
from clusterlab.ledger.entry import Entry, Kind, Owner
from clusterlab.ledger.journal import Journal


def record(journal: Journal, interval: Interval) -> Entry:
    """Put use on record; a run that is seen in use is committed, and holds what it uses beyond what it reserved.

    Raises:
        InputError: the interval is on record with another owner, shape, price or end; nothing is added then.
    """
    key = interval_key(interval)
    owner = Owner(**{name: getattr(interval, name) for name in OWNERS})
    rows = journal.of_interval(key)
    known = [each for each in rows if each.kind is Kind.INTERVAL]
    if known and _check_continues(known[-1], interval):
        return known[-1]
    account = journal.account(owner.run) if owner.run else Account(entries=tuple(rows))
    _check_owner(account, owner)
    if account.state is Kind.RESERVE:
        journal.append(Kind.COMMIT, owner)
    micro_usd = account.overrun_micro_usd(interval, journal.at)
    return journal.append(Kind.INTERVAL, owner, micro_usd=micro_usd, interval=key, detail=interval.as_json())


def record_or_refuse(journal: Journal, interval: Interval) -> Entry | InputError:
    """The same, where what is refused is told and not raised."""
    try:
        return record(journal, interval)
    except InputError as error:
        return error


def _check_owner(account: Account, owner: Owner) -> None:
    """Refuse use of a run by somebody else."""
    first = account.entries[0].owner if account.entries else owner
    if first != owner:
        message = f"is of {first.student}, {first.lab}, not of {owner.student}, {owner.lab}"
        raise InputError(Problem(path="ledger", key=f"run {owner.run or ''}", message=message))


def _check_continues(known: Entry, interval: Interval) -> bool:
    """Whether an interval is on record as it is; else it may but end one that goes on."""
    before = Interval.from_json(json.loads(known.detail))
    if before == interval or (interval.end is None and replace(before, end=None) == interval):
        return True
    if before.end is not None or replace(interval, end=None) != before:
        changed = [name for name in Interval.__dataclass_fields__ if getattr(before, name) != getattr(interval, name)]
        message = f"on record with another {', '.join(changed)}; allowed: its end, once, or a correction of its run"
        raise InputError(Problem(path=f"interval of {interval.resource_id}", message=message))
    return False
