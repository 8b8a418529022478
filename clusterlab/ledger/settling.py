"""A run settled: it holds what it used, and what it reserved beyond that is free."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import Account
from clusterlab.ledger.entry import Entry, Kind
from clusterlab.ledger.journal import Journal, grouped


def settle(journal: Journal, account: Account, run: str) -> Entry:
    """Settle one, or give the row that says so where nothing came since.

    Raises:
        InputError: no use of it is on record, some goes on, or a price of it is not known; nothing is added then.
    """
    if account.open_because or not account.intervals:
        raise wrong(run, f"cannot be settled: {account.open_because or 'no use of it is on record'}")
    micro_usd = account.final_micro_usd - account.held_micro_usd
    # Use that came later and raised what is held by itself is settled by a row too, or it would never be.
    if account.entries[-1].kind is Kind.SETTLE and not micro_usd:
        return account.entries[-1]
    return journal.append(Kind.SETTLE, account.entries[0].owner, micro_usd=micro_usd)


def settle_or_refuse(journal: Journal, runs: Sequence[str]) -> list[Entry | InputError]:
    """Settle many, no run twice, their rows read and added together; what is refused is told and not raised."""
    rows = grouped(journal.rows_of(runs), "run")
    found: list[Entry | InputError] = []
    with journal.together():
        for run in runs:
            try:
                found.append(settle(journal, Account(entries=tuple(rows.get(run, ()))), run))
            except InputError as error:
                found.append(error)
    return found


def wrong(run: str, message: str) -> InputError:
    """What is wrong with what was asked for a run."""
    return InputError(Problem(path="ledger", key=f"run {run}", message=message))
