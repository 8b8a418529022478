"""Measure the ledger on each database: reservations a second of eight processes, and the report of a whole course.

python -m tests.bench ledger

Runs where SQLAlchemy is, in `.venv/sky`; the PostgreSQL is the tests' own, with its disk waited for.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.bench.figure import CONTROL, ROOT, Figure, from_control

NUM_PROCESSES = 8
SECONDS = 5.0
NUM_STUDENTS, NUM_LABS = 1000, 20


def ledger() -> list[Figure]:
    """The ledger's reservations a second, and its sums by student and lab."""
    return from_control("tests.bench.ledger")


def main() -> None:
    """Measure on both, and print the figures as JSON."""
    figures = []
    with databases() as urls:
        for name, url in urls.items():
            figures += [_rate(name, url), _report(name, url), _page(name, url)]
    print(json.dumps(figures))


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """A place for a ledger on each database; PostgreSQL where it is installed."""
    from tests import postgresql

    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        urls = {"SQLite": f"sqlite:///{folder}/ledger.db"}
        programs = postgresql.programs()
        if programs is None:
            sys.stderr.write(f"PostgreSQL is not measured: `{postgresql.INSTALL}`\n")
            yield urls
            return
        with postgresql.server(programs, waits_for_disk=True) as server:
            yield urls | {"PostgreSQL": server.new_schema("bench")}


def _rate(name: str, url: str) -> dict[str, Any]:
    """Reservations of other students by each process, for some seconds."""
    from clusterlab.ledger.budget import Scope
    from clusterlab.ledger.ledger import Ledger

    with closing(Ledger.open(url, begin=True)) as ledger:
        ledger.set_cap(Scope.COURSE, "llm-2026", Decimal(10**6))
    fork: Any = multiprocessing.get_context("fork")
    start, counts = fork.Barrier(NUM_PROCESSES), fork.Queue()
    children = [fork.Process(target=_reserve, args=(url, n, start, counts)) for n in range(NUM_PROCESSES)]
    for child in children:
        child.start()
    found = [counts.get() for _ in children]
    for child in children:
        child.join()
    rate = sum(count / seconds for count, seconds in found)
    least, most = min(count for count, _ in found), max(count for count, _ in found)
    return {
        "what": f"Reservations a second of {NUM_PROCESSES} processes on one ledger ({name})",
        "measured": f"{rate:.0f} ({least} to {most} by process in {SECONDS:.0f} s)",
        "wanted": "at least 300",
        "met": rate >= 300,
    }


def _reserve(url: str, process: int, start: Any, counts: Any) -> None:
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.ledger.reservation import Reservation

    expires = datetime.now(UTC) + timedelta(hours=12)
    with closing(Ledger.open(url)) as ledger:
        start.wait()
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            ledger.reserve(
                Reservation(
                    student=f"s{count % 10}-{process}",
                    team=f"t{process}",
                    course="llm-2026",
                    lab="qlora",
                    run=f"r{count}-{process}",
                    usd=Decimal("0.50"),
                    expires=expires,
                )
            )
            count += 1
        counts.put((count, time.perf_counter() - began))


def _report(name: str, url: str) -> dict[str, Any]:
    """What each of a course's students held and used in each lab, every run reserved, used and settled."""
    from clusterlab.ledger.ledger import Ledger

    with closing(Ledger.open(url)) as ledger:
        _fill(ledger)
        began = time.perf_counter()
        uses = ledger.uses()
        seconds = time.perf_counter() - began
    assert len(uses) >= NUM_STUDENTS * NUM_LABS
    return {
        "what": f"Sums of {NUM_STUDENTS:,} students by {NUM_LABS} labs, a run in each ({name})",
        "measured": f"{seconds:.2f} s",
        "wanted": "under 2 s",
        "met": seconds < 2,
    }


def _page(name: str, url: str) -> dict[str, Any]:
    """The command that writes the page of costs, from its start to its end, over the same ledger."""
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        command = [str(CONTROL), "report", f"--runs={folder}", f"--html={folder}/costs.html", "--course=llm-2026"]
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run(
                command, cwd=ROOT, env=os.environ | {"CLUSTERLAB_LEDGER": url}, check=True, stdout=subprocess.DEVNULL
            )
            seconds.append(time.perf_counter() - began)
        size = (Path(folder) / "costs.html").stat().st_size
    return {
        "what": f"`clusterlab report --html` of the same course, whole command ({name})",
        "measured": f"{statistics.median(seconds):.2f} s of 3, {size / 2**20:.1f} MiB",
        "wanted": "under 2 s",
        "met": statistics.median(seconds) < 2,
    }


def _fill(ledger: Any) -> None:
    """A whole course's runs, the rows that their launches leave, added all at once; a report asks for no balances."""
    from sqlalchemy import insert

    from clusterlab.ledger.entry import Entry, instant
    from clusterlab.ledger.journal import newest
    from clusterlab.ledger.schema import ENTRIES

    now = datetime.now(UTC)
    with ledger.database.reading() as connection:
        last, rows = newest(connection), []
    # A transaction that idles while rows are made is thrown out, as it should be.
    for number in range(NUM_STUDENTS * NUM_LABS):
        for row in _run(number, now):
            last = Entry.after(last, at=instant(now), **{"detail": {}} | row)
            rows.append(last.values())
    with ledger.database.writing() as connection:
        connection.execute(insert(ENTRIES), rows)


def _run(number: int, start: datetime) -> Iterator[dict[str, Any]]:
    """The rows of one run: reserved, committed, used for an hour and settled."""
    from clusterlab.cost.interval import Interval, Kind, Source
    from clusterlab.ledger import entry
    from clusterlab.ledger.account import interval_key

    student, lab = divmod(number, NUM_LABS)
    names = {"student": f"u{student}", "team": None, "course": "llm-2026", "lab": f"lab{lab}", "run": f"u{number}"}
    used = Interval(
        **names,
        resource_id=f"i-{number}",
        kind=Kind.COMPUTE,
        start=start,
        end=start + timedelta(hours=1),
        shape="g6.xlarge",
        region="us-east-1",
        price_usd_per_hour=Decimal("0.8048"),
        price_as_of=date(2026, 9, 6),
        source=Source.EC2,
    )
    owner = entry.Owner(**names)
    yield {"owner": owner, "kind": entry.Kind.RESERVE, "micro_usd": 1_000_000, "expires": entry.instant(used.start)}
    yield {"owner": owner, "kind": entry.Kind.COMMIT}
    yield {"owner": owner, "kind": entry.Kind.INTERVAL, "interval": interval_key(used), "detail": used.as_json()}
    yield {"owner": owner, "kind": entry.Kind.SETTLE, "micro_usd": -195_200}


if __name__ == "__main__":
    main()
