"""Whether the ledger is as it was written: each row's digest, the chain from row to row, the balances after each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from clusterlab.ledger.budget import Budget, Scope, changes
from clusterlab.ledger.entry import GENESIS, Entry, digest
from clusterlab.ledger.journal import budget, entry
from clusterlab.ledger.schema import BALANCES, ENTRIES

BATCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first row that is not as it was written."""

    seq: int
    what: str

    def __str__(self) -> str:
        return f"row {self.seq}: {self.what}"


def first_fault(connection: Connection, *, head: str | None = None) -> Fault | None:
    """The first row that was changed, added or removed; None where there is none.

    Rows that are cut off the end leave a chain that is whole: only a digest of one of them, kept elsewhere and given
    as `head`, shows it.
    """
    last, headless = None, head is not None
    budgets = dict[tuple[Scope, str], Budget]()
    rows = select(ENTRIES).order_by(ENTRIES.c.seq).execution_options(yield_per=BATCH)
    with closing(_balances(connection)) as balances, connection.execute(rows) as result:
        after = next(balances, None)
        for found in map(entry, result):
            kept: list[Budget] = []
            if after is not None and after[0] == found.seq:
                kept, after = after[1], next(balances, None)
            what = _chained(found, last) or _balanced(found, kept, budgets)
            if what:
                return Fault(seq=found.seq, what=what)
            last, headless = found, headless and found.digest != head
    seq = last.seq + 1 if last else 1
    if after is not None:
        return Fault(seq=seq, what="missing: there is a balance after it")
    return Fault(seq=seq, what=f"missing: no row has the digest {head}") if headless else None


def _chained(found: Entry, last: Entry | None) -> str | None:
    """What is wrong with a row in itself, or with its place behind the row before."""
    if found.digest != digest(found.values()):
        return "its digest is not that of its values: it was changed"
    if found.seq != (last.seq + 1 if last else 1):
        return f"follows row {last.seq if last else 0}: a row between them was removed"
    if found.previous != (last.digest if last else GENESIS):
        return "its digest of the row before is another: one of the two was changed"
    return None


def _balanced(found: Entry, kept: list[Budget], budgets: dict[tuple[Scope, str], Budget]) -> str | None:
    """What is wrong with the balances after a row."""
    for key in changes(found).items():
        budgets[key] = budgets.get(key, Budget(scope=key[0], name=key[1])).after(found)
    expected = [budgets[key] for key in changes(found).items()]
    kept = sorted(kept, key=lambda each: list(Scope).index(each.scope))
    return None if kept == expected else "the balances after it are not the sums: one of them was changed"


def _balances(connection: Connection) -> Generator[tuple[int, list[Budget]], None, None]:
    """The balances after each row that changed some, in the rows' order: a course has more than a machine remembers."""
    rows = select(BALANCES).order_by(BALANCES.c.seq).execution_options(yield_per=BATCH)
    with connection.execute(rows) as result:
        for seq, of_row in groupby(result, key=lambda row: row.seq):
            yield int(seq), [budget(row) for row in of_row]
