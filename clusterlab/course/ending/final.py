"""A course closed by its bill: what must be so before, what is written, and the last row of its ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.bill.engine import connection
from clusterlab.bill.intake import take_in
from clusterlab.bill.month import month_of
from clusterlab.bill.store import Store
from clusterlab.course.ending.sheet import Sheet
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.closing import close, conclude, last_closing, seal
from clusterlab.ledger.location import open_ledger
from clusterlab.report.page import page
from clusterlab.report.sources import gather
from clusterlab.report.summary import Summary
from clusterlab.run import write_atomically

if TYPE_CHECKING:
    from clusterlab.cost.interval import Interval
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.report.results import Entry

FINAL = timedelta(days=10)
"""After a month's end, until which the clouds still change its bill."""
RULE = f"a month's bill is final {FINAL // timedelta(days=1)} days after its end"
NAMES = ("report.html", "report.csv", "report.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What to close, and with which papers."""

    course: str
    file: Path
    proof: Path
    bills: Sequence[Path]
    """Exports of every month in which the course used something."""
    store: Path
    rules: Path | None
    folder: Path
    """Of the report."""
    until: date | None
    """The course's last day."""
    entries: Sequence[Entry] = ()
    """What came of its runs, where they are at hand."""
    opened: Callable[[], Ledger] = open_ledger
    """Opens the ledger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """What came of it."""

    sheet: Sheet
    paths: tuple[Path, ...]
    head: str
    """The digest of the ledger's last row."""
    before: bool
    """Whether the same was on record already."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "closed_before": self.before,
            "total": self.sheet.total.as_json(),
            "files": [str(each) for each in self.paths],
            "head": self.head,
        }


def close_course(order: Order, document: Mapping[str, Any] | None, now: datetime) -> Closed:
    """Close a course: reconcile its bill, write the report, and put both on record.

    Args:
        order: What to close.
        document: The proof of its end; None where there is none.
        now: By which a bill is final or not.

    Raises:
        ClusterlabError: something is left, the ledger is not as it was written, or the bill is not final.
        InputError: an export or a rule is wrong.
    """
    ended = _ended(order, document)
    with closing(order.opened()) as ledger:
        close(ledger, order.course)
        _end_open(ledger, order.course, ended)
        conclude(ledger, order.course)
        fault = ledger.verify()
        if fault is not None:
            raise ClusterlabError(f"{ledger.database.name}: {fault}; class {order.course} was not closed")
        _check_final(order, ledger, now)
    facts = gather(
        order.entries,
        course=order.course,
        store=order.store,
        rules=order.rules,
        proof=order.proof,
        opened=order.opened,
    )
    summary = Summary.of(facts, until=order.until)
    return _sealed(order, summary, document or {})


def _ended(order: Order, document: Mapping[str, Any] | None) -> datetime:
    """When nothing of the course was there any more."""
    if document is None or document.get("done") is not True:
        left = f"{document['num_left']} left" if document else "no proof that nothing is left"
        told = f"`clusterlab class down {order.file}` ends it and proves it"
        raise ClusterlabError(f"class {order.course}: {order.proof}: {left}; {told}; nothing was closed")
    return datetime.fromisoformat(document["ended"]).astimezone(UTC)


def _end_open(ledger: Ledger, course: str, ended: datetime) -> None:
    """What went with the ledger's own machine goes on by its copy; it was gone when the proof says so at the latest."""
    for each in ledger.intervals():
        if each.course == course and each.end is None:
            ledger.record(replace(each, end=max(ended, each.start)))


def _check_final(order: Order, ledger: Ledger, now: datetime) -> None:
    """Take the bills in, and see to it that they have every month of the course, each of them final."""
    take_in(order.bills, Store(folder=order.store), replace=True)
    uses = [each for each in ledger.intervals() if each.course == order.course]
    with connection() as database:
        billed = Store(folder=order.store).periods(database)
    missing = [month for month in _months(uses) if not any(start <= month < end for start, end in billed)]
    early = [(start, end + FINAL) for start, end in billed if end + FINAL > now]
    wrong = [f"{month:%Y-%m}: no bill of it was given" for month in missing]
    wrong += [f"{start:%Y-%m}: final from {day:%Y-%m-%d} on" for start, day in early]
    if wrong:
        raise ClusterlabError(f"class {order.course}: {'; '.join(wrong)}; {RULE}; nothing was closed")


def _months(uses: Iterable[Interval]) -> list[datetime]:
    """The first instant of each month in which something was used."""
    return sorted({month for each in uses if each.end for month in _touched(each.start, each.end)})


def _touched(start: datetime, end: datetime) -> Iterator[datetime]:
    month, after = month_of(start)
    while month < end:
        yield month
        month, after = month_of(after)


def _sealed(order: Order, summary: Summary, document: Mapping[str, Any]) -> Closed:
    sheet, paths = Sheet.of(summary), tuple(order.folder / name for name in NAMES)
    detail = {
        "why": "reconciled with its bill",
        "planned_usd": f"{sheet.total.planned_usd:.2f}",
        "metered_usd": f"{sheet.total.metered_usd:.2f}",
        "billed_usd": f"{sheet.total.billed_usd:.2f}",
        "report_sha256": hashlib.sha256(sheet.text().encode()).hexdigest(),
    }
    with closing(order.opened()) as ledger:
        last = last_closing(ledger, order.course)
        before = last is not None and json.loads(last.detail) == detail
        if not before or not all(each.exists() for each in paths):
            _write(paths, summary, sheet, detail, document)
        # The report first: a row says that it is there.
        row = seal(ledger, order.course, detail)
    return Closed(sheet=sheet, paths=paths, head=row.digest, before=before)


def _write(
    paths: Sequence[Path], summary: Summary, sheet: Sheet, detail: Mapping[str, Any], document: Mapping[str, Any]
) -> None:
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    bill = summary.facts.bill
    values = {
        **detail,
        "course": summary.facts.course,
        "periods": bill.as_json()["periods"] if bill else [],
        "rows": [each.as_json() for each in sheet.lines],
        "total": sheet.total.as_json(),
        "ended": document["ended"],
        "kept": document["kept"],
    }
    for path, text in zip(paths, (page(summary), sheet.text(), json.dumps(values, indent=1) + "\n"), strict=True):
        write_atomically(path, text)
