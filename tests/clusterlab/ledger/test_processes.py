"""Many launches at once, and launches that are killed, as the operating system has them: in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, select

from clusterlab.errors import UnreachableError
from clusterlab.ledger.budget import BudgetError, Scope
from clusterlab.ledger.entry import Entry, Kind
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.schema import ENTRIES
from tests import postgresql
from tests.clusterlab.ledger.conftest import NOON, Clock, asked, held, use

FORK: Any = multiprocessing.get_context("fork")
NUM_LAUNCHES = 64


def launch(url: str, number: int, start: Any, covered: Any) -> None:
    """One of 64 students' launches: three of them share a student, eight a team, all the course."""
    ledger = Ledger.open(url, clock=Clock())
    wanted = asked(3, student=f"s{number % 24}", team=f"t{number % 8}", run=f"r{number}")
    start.wait()
    try:
        ledger.reserve(wanted)
        covered.put(wanted)
    except BudgetError:
        covered.put(None)


def test_64_processes_at_once_never_pass_a_cap(url: str) -> None:
    ledger = Ledger.open(url, begin=True, clock=Clock())
    caps = {Scope.STUDENT: (24, "s", 7), Scope.TEAM: (8, "t", 20), Scope.COURSE: (1, "", 100)}
    for scope, (count, prefix, usd) in caps.items():
        for number in range(count):
            ledger.set_cap(scope, f"{prefix}{number}" if prefix else "llm-2026", Decimal(usd))
    ledger.close()
    start, covered = FORK.Barrier(NUM_LAUNCHES), FORK.Queue()
    children = [FORK.Process(target=launch, args=(url, n, start, covered)) for n in range(NUM_LAUNCHES)]
    for child in children:
        child.start()
    answers = [covered.get(timeout=120) for _ in children]
    for child in children:
        child.join()
        assert child.exitcode == 0
    accepted = [answer for answer in answers if answer]
    # 33 launches at 3 USD fit under the course's 100 USD, and the other caps leave room for as many.
    assert len(accepted) == 33
    budgets = ledger.budgets()
    assert [each for each in budgets if each.free_usd is None or each.free_usd < 0] == []
    assert held(ledger, "llm-2026") == sum(answer.usd for answer in accepted)
    assert ledger.verify() is None
    ledger.close()


LIFE = [Kind.RESERVE, Kind.COMMIT, Kind.INTERVAL, Kind.INTERVAL, Kind.SETTLE]


def killed_at(url: str, seam: int, done: Any) -> None:
    """Live a run's whole life, and be killed just before the statement or commit of that number."""
    ledger, seen, run = Ledger.open(url, clock=Clock()), 0, f"r{seam}"

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == seam:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(ledger.database.engine, "before_cursor_execute", count)
    event.listen(ledger.database.engine, "commit", count)
    verbs: list[Callable[[], Entry]] = [
        lambda: ledger.reserve(asked(5, run=run)),
        lambda: ledger.commit(run),
        lambda: ledger.record(use(None, run=run, resource_id=run)),
        lambda: ledger.record(use(2, run=run, resource_id=run)),
        lambda: ledger.settle(run),
    ]
    for number, verb in enumerate(verbs, start=1):
        verb()
        done.value = number


def kinds(ledger: Ledger, run: str) -> list[str]:
    """What is on record of a run."""
    with ledger.database.reading() as connection:
        return list(connection.scalars(select(ENTRIES.c.kind).where(ENTRIES.c.run == run).order_by(ENTRIES.c.seq)))


def test_a_kill_at_any_seam_loses_nothing_and_blocks_nobody(url: str) -> None:
    ledger = Ledger.open(url, begin=True, clock=Clock())
    ledger.set_cap(Scope.STUDENT, "ana", Decimal(1000))
    for seam in range(1, 1000):
        ledger.close()
        done = FORK.Value("i", 0)
        child = FORK.Process(target=killed_at, args=(url, seam, done))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        # What the child was told is done is on record; what it was doing is there as a whole or not at all.
        assert kinds(ledger, f"r{seam}") in (LIFE[: done.value], LIFE[: done.value + 1])
        assert ledger.verify() is None
        # Nobody waits for the dead.
        ledger.release(ledger.reserve(asked(5, run=f"after-r{seam}")).run or "")
    assert seam > 30
    assert kinds(ledger, f"r{seam}") == LIFE
    assert ledger.verify() is None
    ledger.close()


def reserve_and_die(url: str) -> None:
    Ledger.open(url, clock=Clock()).reserve(asked(20))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_launch_reserved_is_free_when_it_expires(ledger: Ledger, url: str, clock: Clock) -> None:
    ledger.close()
    child = FORK.Process(target=reserve_and_die, args=(url,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with pytest.raises(BudgetError, match=r"^student ana: "):
        ledger.reserve(asked(20, run="r2"))
    clock.now = NOON + timedelta(hours=12)
    ledger.reserve(asked(20, run="r2", expires=NOON + timedelta(hours=24)))


def test_a_crash_of_the_server_loses_nothing_that_was_reserved(postgresql_server: postgresql.Server) -> None:
    url = postgresql_server.new_schema("crashed")
    ledger = Ledger.open(url, begin=True, clock=Clock())
    ledger.set_cap(Scope.STUDENT, "ana", Decimal(20))
    for number in range(3):
        ledger.reserve(asked(5, run=f"r{number}"))
    postgresql_server.crash()
    with pytest.raises(UnreachableError, match=r"^postgresql://crashed@/.*: the ledger does not answer: "):
        ledger.reserve(asked(5, run="r3"))
    postgresql_server.start()
    assert held(ledger) == 15
    assert ledger.verify() is None
    ledger.close()
