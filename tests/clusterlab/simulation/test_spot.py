"""Spot machines that the cloud takes back in the middle of a job."""

from __future__ import annotations

from datetime import datetime

import pytest

from clusterlab.catalog import Kind as RowKind
from clusterlab.cost.interval import Kind as Used
from clusterlab.ledger.entry import Kind
from clusterlab.simulation.cloud import Account
from clusterlab.simulation.machine import Machine
from clusterlab.simulation.student import PREEMPTED, Attempt, Students
from tests.clusterlab.simulation.conftest import Begin
from tests.needs import needs_skypilot

pytestmark = needs_skypilot


def test_a_preempted_run_is_charged_what_it_used_at_the_spot_price_and_its_reservation_settled(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    ended: dict[str, datetime] = {}
    count, terminate = Students._count, Account.terminate

    def counted(self: Students, what: str, attempt: Attempt) -> None:
        taken.extend([attempt.run] if what == PREEMPTED else [])
        count(self, what, attempt)

    def terminated(self: Account, machine: Machine) -> None:
        ended[machine.id] = self.now()
        terminate(self, machine)

    tidy = dict.fromkeys(("p_runaway", "p_forgotten", "p_lost", "p_disk"), 0.0)
    monkeypatch.setattr(Students, "_count", counted)
    monkeypatch.setattr(Account, "terminate", terminated)
    semester = begin((12, 2, 1), minutes=60, p_small=1.0, p_spot=1.0, preempted_per_hour=4.0, pace_sigma=0.0, **tidy)
    result = semester.run()
    assert result.violation is None, result.violation
    assert result.counts.spot_machines == result.counts.machines
    assert len(taken) == result.counts.events[PREEMPTED] > 4
    ledger, catalog = semester.server.ledger, semester.course.catalog
    for run in taken:
        with ledger.journal() as journal:
            account = journal.account(run)
        [machine] = [each for each in account.intervals if each.kind is Used.COMPUTE]
        row = catalog.row(RowKind.MACHINE, "aws", machine.region, machine.shape.removesuffix(" spot"))
        assert row is not None
        assert machine.price_usd_per_hour == row.spot_usd
        assert machine.end == ended[machine.resource_id]
        assert account.state is Kind.SETTLE
        assert account.reservation is not None
        assert 0 < account.held_micro_usd == account.final_micro_usd < account.reservation.micro_usd
    assert result.metered_usd == result.days[-1].held_usd
