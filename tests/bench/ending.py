"""Measure the end of a class on an emulated EC2: its machines ended and its ledger settled, against bare boto3.

python -m tests.bench ending

Runs where moto is, in `.venv/sky`; the cloud is moto's server on the loopback, emptied before each turn. What is waited
for between the two last looks is not counted: it is as long as somebody wants it.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.bench.figure import REPORTED, Figure, from_control
from tests.bench.reaper import REGION, TAGS, bare, launch, measured_on_moto, over_bare

NUM_MACHINES = 500
NUM_PAIRS = 5
NODES = 5
"""Of a run."""
COURSE = TAGS["course"]


def ending() -> list[Figure]:
    """A class of 500 machines taken down, and bare boto3 that does no more than terminate them, in turn."""
    return from_control("tests.bench.ending", NUM_MACHINES, NUM_PAIRS)


def _figures(num_machines: int, num_pairs: int) -> list[dict[str, Any]]:
    """Without a ledger, as boto3 has none, and with one, on which each machine and disk is metered and settled.

    Of the latter nothing is promised: what it does beyond ending them has nothing to be set against.
    """
    found = [
        (_ended(num_machines, ledger=False), _ended(num_machines, ledger=True), bare(num_machines, _launched))
        for _ in range(num_pairs)
    ]
    what = f"`clusterlab class down` of {num_machines:,} machines against bare boto3 in batches (emulated EC2"
    with_ledger = f"{what}), {2 * num_machines:,} uses metered and settled"
    settled = over_bare(with_ledger, "the class", [(each[1], each[2]) for each in found])
    return [
        over_bare(f"{what})", "the class", [(each[0], each[2]) for each in found]),
        settled | REPORTED,
    ]


def _ended(num_machines: int, *, ledger: bool) -> float:
    """Seconds from the first look to the proof, with a ledger its runs metered and settled on the way."""
    from clusterlab.ledger.ledger import Ledger

    _launched(num_machines)
    with tempfile.TemporaryDirectory(prefix="ending-") as folder:
        url = f"sqlite:///{folder}/ledger.db"
        if ledger:
            _meter(Ledger.open(url, begin=True), num_machines)
        down = _down(Path(folder) / "proof.json", url if ledger else None)
        began = time.perf_counter()
        proof = down.run(down.look())
        seconds = time.perf_counter() - began
    ended = sum(entry.resource.kind == "instance" and not entry.there for entry in proof.sweep.entries)
    if not proof.proven or ended != num_machines:
        raise RuntimeError(f"{ended} ended; left: {proof.sweep.left[:5]}; {proof.problems}")
    return seconds


def _launched(num_machines: int) -> None:
    """Runs of five machines."""
    launch(num_machines, NODES)


def _meter(ledger: Any, num_machines: int) -> None:
    """As it was metered until now: each machine in use, its launch having reserved what it may cost."""
    from clusterlab.ledger.budget import Scope
    from clusterlab.ledger.reservation import Reservation

    ledger.set_cap(Scope.COURSE, COURSE, Decimal(100000))
    for start in range(0, num_machines, NODES):
        asked = Reservation(
            student=TAGS["student"],
            team=None,
            course=COURSE,
            lab=TAGS["lab"],
            run=f"r{start}",
            usd=Decimal(10),
            expires=datetime.now(UTC) + timedelta(hours=12),
        )
        ledger.reserve(asked)
    _books(lambda: ledger).meter(_cloud(), (REGION,))


def _cloud() -> Any:
    from clusterlab.reaper.cloud import Cloud

    return Cloud()


def _books(opened: Any) -> Any:
    from clusterlab.catalog import Catalog
    from clusterlab.course.ending.books import Books

    return Books(
        course=COURSE, opened=opened, catalog=Catalog.load(), now=lambda: datetime.now(UTC), sleep=lambda _: None
    )


def _down(path: Path, url: str | None) -> Any:
    from clusterlab.course.ending.clearing import Clearing
    from clusterlab.course.ending.down import Down
    from clusterlab.course.ending.proof import Paper
    from clusterlab.course.ending.skypilot_clusters import Ended
    from clusterlab.course.ending.taking import Taking
    from clusterlab.course.events import Retained, State
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.reaper.keeplist import KeepList

    class Empty:
        def state(self) -> State:
            return State(exists=False)

        def repair(self) -> None:
            raise RuntimeError("nothing is pending")

        def down(self, keep: object = ()) -> list[Retained]:
            del keep
            return []

    books = _books(lambda: Ledger.open(str(url)))
    clearing = Clearing(
        cloud=_cloud(),
        account="123456789012",
        course=COURSE,
        regions=(REGION,),
        strays={},
        catalog=books.catalog,
        began=datetime.now(UTC),
        sleep=lambda _: None,
        clock=time.monotonic,
    )
    return Down(
        course=COURSE,
        clearing=clearing,
        stack=Taking(stack=Empty(), sleep=clearing.sleep),
        keep=KeepList(reasons={}),
        books=books if url else None,
        ledger_on_stack=False,
        clusters=lambda _: Ended(),
        paper=Paper(path=path),
        age_seconds=120,
        now=lambda: datetime.now(UTC),
        step=lambda _: None,
    )


if __name__ == "__main__":
    measured_on_moto(_figures)
