"""Use put on record: once when it begins, once more when it has ended, and never otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clusterlab.cost.interval import OWNERS, Interval
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import Account, interval_key, interval_of
from clusterlab.ledger.entry import Entry, Kind, Owner
from clusterlab.ledger.journal import Journal, grouped


def record(journal: Journal, interval: Interval) -> Entry:
    """Put use on record; a run that is seen in use is committed, and holds what it uses beyond what it reserved.

    Raises:
        InputError: the interval is on record with another owner, shape, price or end; nothing is added then.
    """
    rows = journal.of_interval(interval_key(interval))
    account = journal.account(interval.run) if interval.run else Account(entries=tuple(rows))
    return _recorded(journal, rows, account, interval)[-1]


@dataclass(kw_only=True, slots=True)
class Recorder:
    """Many uses put on record in one transaction, each run's rows read once, within `Journal.together`."""

    journal: Journal
    accounts: dict[str, Account]
    """By run, with what waits."""
    rows: dict[str, list[Entry]]
    """By interval, whosever it is, with what waits."""

    @classmethod
    def of(cls, journal: Journal, intervals: Sequence[Interval]) -> Recorder:
        """One for these uses, of which all rows that there are were read."""
        runs = {each.run for each in intervals if each.run}
        found = journal.rows_of(runs, map(interval_key, intervals))
        accounts, rows = grouped(found, "run"), grouped(found, "interval")
        return cls(
            journal=journal,
            accounts={run: Account(entries=tuple(accounts.get(run, ()))) for run in runs},
            rows={key: rows.get(key, []) for key in map(interval_key, intervals)},
        )

    def record(self, interval: Interval) -> Entry:
        """Put use on record, as `record` does.

        Raises:
            InputError: as there.
        """
        key, run = interval_key(interval), interval.run
        rows = self.rows[key]
        account = self.accounts[run] if run else Account(entries=tuple(rows))
        added = _recorded(self.journal, rows, account, interval)
        new = [each for each in added if each not in rows]
        self.rows[key] = [*rows, *(each for each in new if each.interval == key)]
        if run:
            self.accounts[run] = Account(entries=(*account.entries, *new))
        return added[-1]

    def record_or_refuse(self, interval: Interval) -> Entry | InputError:
        """The same, where what is refused is told and not raised."""
        try:
            return self.record(interval)
        except InputError as error:
            return error


def _recorded(journal: Journal, rows: list[Entry], account: Account, interval: Interval) -> list[Entry]:
    """The rows that are added, or the one that is there."""
    known = [each for each in rows if each.kind is Kind.INTERVAL]
    if known and _check_continues(known[-1], interval):
        return [known[-1]]
    owner = Owner(**{name: getattr(interval, name) for name in OWNERS})
    _check_owner(account, owner)
    committed = [journal.append(Kind.COMMIT, owner)] if account.state is Kind.RESERVE else []
    micro_usd, key = account.overrun_micro_usd(interval, journal.at), interval_key(interval)
    added = journal.append(Kind.INTERVAL, owner, micro_usd=micro_usd, interval=key, detail=interval.as_json())
    return [*committed, added]


def _check_owner(account: Account, owner: Owner) -> None:
    """Refuse use of a run by somebody else."""
    first = account.entries[0].owner if account.entries else owner
    if first != owner:
        message = f"is of {first.student}, {first.lab}, not of {owner.student}, {owner.lab}"
        raise InputError(Problem(path="ledger", key=f"run {owner.run or ''}", message=message))


def _check_continues(known: Entry, interval: Interval) -> bool:
    """Whether an interval is on record as it is; else it may but end one that goes on."""
    before = interval_of(known.detail)
    if before == interval or (interval.end is None and replace(before, end=None) == interval):
        return True
    if before.end is not None or replace(interval, end=None) != before:
        changed = [name for name in Interval.__dataclass_fields__ if getattr(before, name) != getattr(interval, name)]
        message = f"on record with another {', '.join(changed)}; allowed: its end, once, or a correction of its run"
        raise InputError(Problem(path=f"interval of {interval.resource_id}", message=message))
    return False
