"""Take exports into the store: every file, or none of them where one is wrong.

A provider exports a period anew, in full, as it learns more of it: all files of a period are given in one go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.bill import normal
from clusterlab.bill.checks import row_faults
from clusterlab.bill.duplicates import Duplicates, Repeated
from clusterlab.bill.engine import connection, identifier
from clusterlab.bill.layout import FILE, Layout, layouts
from clusterlab.bill.source import find_sources
from clusterlab.bill.store import Key, Part, Store
from clusterlab.errors import InputError, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """One key's rows in an export."""

    key: Key
    layout: Layout
    rows: str
    """Their SQL, in the normal form."""
    digest: str
    """SHA-256 of the digests of the files that have them, and of what became of repeated rows."""


def take_in(
    paths: Iterable[Path],
    store: Store,
    *,
    replace: bool = False,
    duplicates: Duplicates = Duplicates.REFUSE,
) -> list[Part]:
    """Import exports: files, and folders of them.

    Args:
        paths: Files and folders.
        store: Where to.
        replace: Let them take the place of what was imported for the same account and period before.
        duplicates: What becomes of rows that are alike in every column.

    Raises:
        InputError: a file, a column or a row is wrong, or the store has another bill of the same account and period.
        StorageError: the store cannot be written.
    """
    with connection() as database:
        found = layouts(find_sources(paths), database)
        _refuse(problem for layout in found for problem in row_faults(layout, database))
        bills = _bills(found, duplicates, database)
        _refuse(_overlaps(bills))
        states = {bill.key: _state(bill, store, database) for bill in bills}
        if not replace:
            _refuse(_occupied(key, store) for key, state in states.items() if state == "replaced")
        for bill in (each for each in bills if states[each.key] != "unchanged"):
            store.put(bill.key, bill.rows, bill.digest, database)
        return [store.part(key, states[key], database) for key in sorted(states)]


def _bills(found: Iterable[Layout], duplicates: Duplicates, database: DuckDBPyConnection) -> list[Bill]:
    repeated = [Repeated.find(layout, number, database) for number, layout in enumerate(found)]
    faults = [each.fault(database) for each in repeated]
    if duplicates is Duplicates.REFUSE:
        _refuse(fault for fault in faults if fault)
    bills = []
    for each, fault in zip(repeated, faults, strict=True):
        relation = each.dropped() if fault and duplicates is Duplicates.DROP else each.layout.relation
        rows, choice = normal.select(each.layout.expressions(), relation), duplicates if fault else ""
        for key, files in _keys(each.layout, database).items():
            digest = hashlib.sha256("".join([choice, *sorted(files)]).encode()).hexdigest()
            bills.append(Bill(key=key, layout=each.layout, rows=rows, digest=digest))
    return bills


def _keys(layout: Layout, database: DuckDBPyConnection) -> dict[Key, set[str]]:
    """The keys of a layout's rows, each with the digests of the files that have some."""
    columns = ("BillingPeriodStart", "ProviderName", "BillingAccountId")
    values = ", ".join(layout.expressions()[column] for column in columns)
    digests = {str(source.path): source.digest for source in layout.sources}
    found: dict[Key, set[str]] = {}
    sql = f"SELECT DISTINCT {values}, {identifier(FILE)} FROM {layout.relation}"
    for period, provider, account, file in database.execute(sql).fetchall():
        found.setdefault(Key(period=period, provider=provider, account=account), set()).add(digests[file])
    if not found:
        message = "has no row; allowed: an export with charges"
        raise InputError(Problem(path=str(layout.sources[0].path), message=message))
    return found


def _overlaps(bills: Iterable[Bill]) -> list[Problem]:
    """Bills that are there in two layouts, such as a CSV beside the Parquet, or CUR beside FOCUS."""
    seen: dict[Key, Layout] = {}
    problems = []
    for bill in bills:
        other = seen.setdefault(bill.key, bill.layout)
        if other is not bill.layout:
            message = f"{bill.key} is there as {bill.layout.dialect}, and as {other.dialect} in {other.sources[0].path}"
            problems.append(Problem(path=str(bill.layout.sources[0].path), message=f"{message}; allowed: one of them"))
    return problems


def _state(bill: Bill, store: Store, database: DuckDBPyConnection) -> str:
    before = store.digest(bill.key, database)
    if before is None:
        return "new"
    return "unchanged" if before == bill.digest else "replaced"


def _occupied(key: Key, store: Store) -> Problem:
    message = f"{key} was imported before, from other files; --replace puts these in their place"
    return Problem(path=str(store.folder / key.name), message=message)


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise InputError(found)
