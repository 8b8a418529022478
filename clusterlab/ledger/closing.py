"""The end of a course on its ledger: nothing more is launched, and every run comes to what it used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, case, func, select

from clusterlab.ledger.account import Account
from clusterlab.ledger.entry import Entry, Kind, Owner
from clusterlab.ledger.journal import Journal, entry, grouped
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.schema import ENTRIES
from clusterlab.ledger.standing import OPENING

BATCH = 500
"""Runs in one transaction: others wait for it."""
CONCLUDING = (Kind.SETTLE, Kind.RELEASE, Kind.EXPIRE)
NEVER_USED = "the class is over, and no use of it is on record"
ENDED_EARLIER = "the class is over, and it ended before it was last taken to go on"


class How(StrEnum):
    """What became of a run."""

    SETTLED = "settled"
    RELEASED = "released"
    """Nothing was launched."""
    CORRECTED = "corrected"
    """Launched, but no use was ever seen."""
    OPEN = "open"


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Of one run."""

    run: str
    how: How
    why: str = ""
    """Of one that stays open."""


def close(ledger: Ledger, course: str) -> Entry | None:
    """Have the ledger refuse each further launch of a course, also of a run that it holds; None where it does already.

    `set_cap` opens it again.
    """
    with ledger.journal() as journal:
        owner = Owner(course=course)
        [budget] = journal.budgets_of(owner)
        if budget.cap_usd == 0:
            return None
        return journal.append(Kind.CLOSE, owner, detail={"why": "the class is over"})


def is_closed(ledger: Ledger, course: str) -> bool:
    """Whether the ledger refuses each further launch of a course."""
    return any(each.scope == "course" and each.name == course and each.cap_usd == 0 for each in ledger.budgets())


def seal(ledger: Ledger, course: str, detail: Mapping[str, Any]) -> Entry:
    """Put the end of a course on record, such as its bill and the digest of its report; the same again adds nothing."""
    with ledger.journal() as journal:
        last = _last_closing(journal.connection, course)
        if last is not None and json.loads(last.detail) == dict(detail):
            return last
        return journal.append(Kind.CLOSE, Owner(course=course), detail=detail)


def last_closing(ledger: Ledger, course: str) -> Entry | None:
    """The newest row that says that a course is over; None where there is none."""
    with ledger.database.reading() as connection:
        return _last_closing(connection, course)


def conclude(ledger: Ledger, course: str) -> list[Conclusion]:
    """Conclude each open run of a course, once nothing of it is in use any more; the same again changes nothing.

    What was only reserved is free, what was used is settled; what goes on or has an unknown price stays open.
    """
    with ledger.database.reading() as connection:
        runs = open_runs(connection, course)
    found: list[Conclusion] = []
    for start in range(0, len(runs), BATCH):
        with ledger.journal() as journal:
            found += _conclude_all(journal, runs[start : start + BATCH])
    with ledger.journal() as journal:
        _correct_nobodys(journal, course)
    return found


def open_runs(connection: Connection, course: str) -> list[str]:
    """The runs of a course whose last step was not their end."""
    last = {
        kinds: func.max(case((ENTRIES.c.kind.in_(kinds), ENTRIES.c.seq), else_=0)) for kinds in (OPENING, CONCLUDING)
    }
    runs = select(ENTRIES.c.run).where(ENTRIES.c.run.is_not(None), ENTRIES.c.course == course)
    runs = runs.group_by(ENTRIES.c.run).having(last[OPENING] > last[CONCLUDING]).order_by(ENTRIES.c.run)
    return list(connection.execute(runs).scalars())


def last_steps(ledger: Ledger, course: str) -> dict[str, int]:
    """By the kind of its last row how many runs of a course there are."""
    newest = select(func.max(ENTRIES.c.seq)).where(ENTRIES.c.run.is_not(None), ENTRIES.c.course == course)
    kinds = select(ENTRIES.c.kind, func.count()).where(ENTRIES.c.seq.in_(newest.group_by(ENTRIES.c.run)))
    with ledger.database.reading() as connection:
        return {str(kind): int(count) for kind, count in connection.execute(kinds.group_by(ENTRIES.c.kind)).all()}


def _conclude_all(journal: Journal, runs: Sequence[str]) -> list[Conclusion]:
    """Their rows read and added together."""
    rows = grouped(journal.rows_of(runs), "run")
    with journal.together():
        concluded = [_conclude(journal, run, Account(entries=tuple(rows[run]))) for run in runs]
    return [each for each in concluded if each is not None]


def _conclude(journal: Journal, run: str, account: Account) -> Conclusion | None:
    """None where somebody else concluded it meanwhile."""
    owner, held = account.entries[0].owner, account.held_micro_usd
    if not account.intervals:
        return _unused(journal, run, account)
    if account.open_because:
        return Conclusion(run=run, how=How.OPEN, why=account.open_because)
    micro_usd = account.final_micro_usd - held
    if account.entries[-1].kind is Kind.SETTLE and not micro_usd:
        return None
    journal.append(Kind.SETTLE, owner, micro_usd=micro_usd)
    return Conclusion(run=run, how=How.SETTLED)


def _correct_nobodys(journal: Journal, course: str) -> None:
    """What belongs to no run is never settled, and held what it was taken to cost while it went on."""
    keys = select(ENTRIES.c.interval).distinct().order_by(ENTRIES.c.interval)
    keys = keys.where(ENTRIES.c.run.is_(None), ENTRIES.c.course == course, ENTRIES.c.interval.is_not(None))
    for key in journal.connection.scalars(keys).all():
        account = Account(entries=tuple(journal.of_interval(key)))
        if account.open_because:
            continue
        rest = account.final_micro_usd - account.held_micro_usd
        if rest:
            owner = account.entries[0].owner
            journal.append(Kind.CORRECT, owner, micro_usd=rest, interval=key, detail={"why": ENDED_EARLIER})


def _unused(journal: Journal, run: str, account: Account) -> Conclusion | None:
    owner, held = account.entries[0].owner, account.held_micro_usd
    if account.state is Kind.RESERVE:
        journal.append(Kind.RELEASE, owner, micro_usd=-held)
        return Conclusion(run=run, how=How.RELEASED)
    if account.state is not Kind.COMMIT or not held:
        return None
    journal.append(Kind.CORRECT, owner, micro_usd=-held, detail={"why": NEVER_USED})
    return Conclusion(run=run, how=How.CORRECTED)


def _last_closing(connection: Connection, course: str) -> Entry | None:
    rows = select(ENTRIES).where(ENTRIES.c.kind == Kind.CLOSE, ENTRIES.c.course == course)
    row = connection.execute(rows.order_by(ENTRIES.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else entry(row)
