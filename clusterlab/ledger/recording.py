"""Use put on record: once when it begins, once more when it has ended, and never otherwise."""

from __future__ import annotations

from clusterlab.cost.interval import OWNERS, Interval
from clusterlab.ledger.account import Account, interval_key
from clusterlab.ledger.entry import Entry, Kind, Owner
from clusterlab.ledger.journal import Journal
from clusterlab.ledger.refusal import check_continues, check_owner


def record(journal: Journal, interval: Interval) -> Entry:
    """Put use on record; a run that is seen in use is committed, and holds what it uses beyond what it reserved.

    Raises:
        InputError: the interval is on record with another owner, shape, price or end; nothing is added then.
    """
    key = interval_key(interval)
    owner = Owner(**{name: getattr(interval, name) for name in OWNERS})
    known = journal.of_interval(key)
    if known and check_continues(known[-1], interval):
        return known[-1]
    account = journal.account(owner.run) if owner.run else Account(entries=tuple(known))
    check_owner(account, owner)
    if account.state is Kind.RESERVE:
        journal.append(Kind.COMMIT, owner)
    micro_usd = account.overrun_micro_usd(interval, journal.at)
    return journal.append(Kind.INTERVAL, owner, micro_usd=micro_usd, interval=key, detail=interval.as_json())
