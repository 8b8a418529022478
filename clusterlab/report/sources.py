"""Where a report's facts come from: the ledger, the store of bills, the folder of runs, and a proof of the reaper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.bill.reconciliation import Reconciliation, reconcile
from clusterlab.bill.records import Records
from clusterlab.bill.rules import load_rules
from clusterlab.bill.store import Store
from clusterlab.errors import InputError, Problem
from clusterlab.ledger.location import open_ledger
from clusterlab.ledger.statement import Statement
from clusterlab.report.facts import Facts, Finding, Outcome, Sweep
from clusterlab.report.results import Entry, number

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger

PROOF_FORMAT = "clusterlab-proof-1"


def gather(
    entries: Iterable[Entry],
    problems: Sequence[Problem] = (),
    *,
    course: str | None,
    store: Path,
    rules: Path | None = None,
    proof: Path | None = None,
    opened: Callable[[], Ledger] = open_ledger,
) -> Facts:
    """All that is known of a course: of the one course of the ledger where none is named.

    Raises:
        InputError: no ledger is named, it does not know the course, or a rule, a bill or the proof cannot be read.
        MissingError: SQLAlchemy, DuckDB or the driver of the database is not installed.
        UnreachableError: the ledger does not answer.
        StorageError: what lies there is no ledger.
    """
    with closing(opened()) as ledger:
        found = ledger.statement(course)
    return facts_of(found, entries, problems, bill=_bill(found, store, rules, opened), proof=proof)


def facts_of(
    found: Statement,
    entries: Iterable[Entry],
    problems: Sequence[Problem] = (),
    *,
    bill: Reconciliation | None = None,
    proof: Path | None = None,
) -> Facts:
    """The facts of a course whose ledger was read already.

    Raises:
        InputError: the proof is none, or of other courses.
    """
    return Facts(
        **{each.name: getattr(found, each.name) for each in fields(found)},
        bill=bill,
        outcomes=tuple(outcome(each) for each in entries if each.run.tags.get("course") in (found.course, None)),
        sweep=read_proof(proof, found.course) if proof else None,
        problems=tuple(map(str, problems)),
    )


def outcome(of: Entry) -> Outcome:
    """What came of a run, in few words."""
    run = of.run
    return Outcome(
        student=run.tags.get("student"),
        lab=run.asked.lab,
        run=run.run_id,
        scale=str(run.asked.config.get("scale", "")),
        status=run.status,
        verdict=of.verdict,
        started=run.started,
        failing=tuple(f"{each.metric} {number(each.value)}, expected {each.expectation}" for each in of.failing),
        note=of.note or run.error or "",
    )


def read_proof(path: Path, course: str | None) -> Sweep:
    """Read a proof of the reaper.

    Raises:
        InputError: it is none, or is of other courses.
    """
    try:
        document = json.loads(path.read_text())
        if document["format"] != PROOF_FORMAT:
            raise ValueError(document["format"])
        sweep, courses = _sweep(document), document["courses"]
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"no proof of a sweep: {error!r}; allowed: a file that `clusterlab reap` wrote"
        raise InputError(Problem(path=str(path), message=message)) from error
    if course is not None and course not in courses:
        message = f"is of {', '.join(map(str, courses)) or 'no course'}; allowed: a proof of {course}"
        raise InputError(Problem(path=str(path), key="courses", message=message))
    return sweep


def _sweep(document: Mapping[str, Any]) -> Sweep:
    ended = document["ended"]
    return Sweep(
        ended=None if ended is None else _instant(ended),
        proven=document["proven"] is True,
        num_not_scanned=len(document["not_scanned"]),
        findings=tuple(_finding(each) for each in document["resources"] if each["there"]),
    )


def _finding(values: Mapping[str, Any]) -> Finding:
    tags = values["tags"]
    return Finding(
        kind=str(values["kind"]),
        id=str(values["id"]),
        region=str(values["region"]),
        shape=str(values["shape"]),
        student=tags.get("student"),
        lab=tags.get("lab"),
        lease_until=_instant(values["lease_until"]),
        step=str(values["step"]),
        left=values["left"] is True,
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _bill(found: Statement, store: Path, rules: Path | None, opened: Callable[[], Ledger]) -> Reconciliation | None:
    """The bill against the ledger, of all courses, since a bill is of an account; None where none was imported."""
    shared = load_rules(rules) if rules else ()
    if not any(store.glob("*/*.parquet")):
        return None
    records = Records.read(opened)
    return reconcile(Store(folder=store), records.intervals, records.estimates, shared, now=found.at)
