"""An API server that is killed within a launch, and started again: its reservation is there once, or not yet."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from clusterlab.ledger.budget import Scope
from clusterlab.ledger.entry import Kind
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.location import open_ledger
from clusterlab.ledger.schema import ENTRIES
from tests.clusterlab.conftest import Apply
from tests.clusterlab.ledger.conftest import use
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

CENT = Decimal("0.01")
FORK: Any = multiprocessing.get_context("fork")


@pytest.fixture
def _ledger(apply: Apply, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana has 60 USD."""
    del apply  # which forgets the ledger of whoever runs the tests
    folder = tmp_path_factory.mktemp("ledger")
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
    with closing(open_ledger(begin=True)) as ledger:
        ledger.set_cap(Scope.STUDENT, "ana", Decimal(60))


def served(apply: Apply, task: Any, seam: int) -> None:
    """The server asks the policy for a launch, and is killed just before the statement or commit of that number."""
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == seam:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    apply(task, client=False)
    os._exit(0)


def reservations(ledger: Ledger) -> list[tuple[str, int]]:
    rows = select(ENTRIES.c.run, ENTRIES.c.micro_usd).where(ENTRIES.c.kind == Kind.RESERVE).order_by(ENTRIES.c.seq)
    with ledger.database.reading() as connection:
        return [(row.run, row.micro_usd) for row in connection.execute(rows)]


@pytest.mark.usefixtures("_ledger")
def test_a_server_that_is_killed_within_launches_neither_loses_nor_doubles_them(apply: Apply) -> None:
    launched: list[str] = []
    for seam in range(1, 1000):
        # As on a laptop without a ledger: the client's policy gives the run and the lease, which the server keeps.
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("CLUSTERLAB_LEDGER")
            task = apply()
        run = next(iter(task.resources)).labels["run"]
        child = FORK.Process(target=served, args=(apply, task, seam))
        child.start()
        child.join()
        with closing(open_ledger()) as ledger:
            assert [name for name, _ in reservations(ledger)] in (launched, [*launched, run])
        # The server is there again, and the request is asked again, as often as a client tries.
        apply(task, client=False)
        apply(task, client=False)
        launched.append(run)
        with closing(open_ledger()) as ledger:
            made = reservations(ledger)
            assert [name for name, _ in made] == launched
            # All runs before are settled at a cent each.
            [of_ana] = [each for each in ledger.budgets() if each.name == "ana"]
            assert of_ana.held_usd == Decimal(made[-1][1]) / 10**6 + CENT * (len(made) - 1)
            assert ledger.verify() is None
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        _use_and_settle(run)
    assert seam > 8


def _use_and_settle(run: str) -> None:
    """The run is used and settled, so that the next fits under the cap."""
    with closing(open_ledger()) as ledger:
        ledger.record(use(1, resource_id=f"i-{run}", price_usd_per_hour=CENT, team=None, lab="toy", run=run))
        ledger.settle(run)
