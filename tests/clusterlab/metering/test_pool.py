from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.ledger.ledger import Ledger
from clusterlab.metering import pool
from clusterlab.metering.meter import meter
from clusterlab.metering.observation import UNKNOWN, Observation, Price, Sighting
from clusterlab.metering.ray import NOTHING, Holding, RayState
from tests.clusterlab.metering.conftest import NOON, sighting

HOUR = timedelta(hours=1)
POOL = {"course": "llm-2026", "student": "prof", "lab": "shared", "run": "p1"}
KNOWN = {"i-1", "i-2"}


def machine(name: str, usd: str = "8") -> Sighting:
    return sighting(resource_id=name, tags=POOL, price=Price(usd_per_hour=Decimal(usd), as_of=NOON.date()))


def holding(student: str, gpus: str) -> Holding:
    return Holding(job=f"job-{student}", tags={"student": student, "lab": "qlora"}, gpus=Decimal(gpus), cpus=Decimal(1))


def state(*holdings: Holding, gpus: str = "8") -> RayState:
    return RayState(gpus=Decimal(gpus), cpus=Decimal(96), num_nodes=1, holdings=holdings)


def shares(seen: Observation) -> dict[str, Decimal | None]:
    return {each.resource_id: each.price.usd_per_hour for each in seen.sightings}


def test_a_job_pays_for_the_gpus_that_it_holds_and_the_rest_is_a_line() -> None:
    held = state(holding("ana", "2"), holding("eva", "0.5"))
    seen = pool.observe("p1", [machine("i-1")], held, KNOWN, at=NOON)
    assert shares(seen) == {"job-ana": Decimal(2), "job-eva": Decimal("0.5"), "p1/idle": Decimal("5.5")}
    idle = seen.sightings[-1]
    assert (idle.shape, idle.tags["student"]) == ("idle: 5.5 of 8 GPUs", "prof")


def test_without_gpus_cpus_are_divided() -> None:
    held = RayState(gpus=Decimal(0), cpus=Decimal(4), num_nodes=1, holdings=(holding("ana", "0"),))
    assert shares(pool.observe("p1", [machine("i-1")], held, KNOWN, at=NOON))["job-ana"] == Decimal(2)


def test_a_machine_was_idle_from_its_start_to_the_first_look(ledger: Ledger) -> None:
    meter(ledger, pool.observe("p1", [machine("i-1")], state(), set(), at=NOON + HOUR))
    assert {each.resource_id: each.hours(NOON + 2 * HOUR) for each in ledger.intervals()} == {"i-1": 1, "p1/idle": 1}


def test_a_job_that_holds_more_is_a_use_at_another_price(ledger: Ledger) -> None:
    for hours, gpus in ((0, "2"), (1, "2"), (2, "4")):
        meter(ledger, pool.observe("p1", [machine("i-1")], state(holding("ana", gpus)), KNOWN, at=NOON + hours * HOUR))
    meter(ledger, pool.observe("p1", [machine("i-1")], state(), KNOWN, at=NOON + 3 * HOUR))
    of_ana = [each for each in ledger.intervals() if each.student == "ana"]
    assert sum(each.usd(NOON + 9 * HOUR) or 0 for each in of_ana) == 2 * 2 + 4
    assert sum(each.usd(NOON + 3 * HOUR) or 0 for each in ledger.intervals()) == 3 * 8


def test_a_pool_that_is_gone_costs_nothing_more(ledger: Ledger) -> None:
    meter(ledger, pool.observe("p1", [machine("i-1")], state(holding("ana", "2")), KNOWN, at=NOON))
    meter(ledger, pool.observe("p1", [], NOTHING, KNOWN, at=NOON + HOUR))
    assert {each.end for each in ledger.intervals()} == {NOON + HOUR}


def test_the_idle_rest_ends_with_the_last_machine_and_not_with_the_look_that_finds_it_gone(ledger: Ledger) -> None:
    machines = [replace(machine(name), start=NOON - HOUR) for name in KNOWN]
    meter(ledger, pool.observe("p1", machines, state(), KNOWN, at=NOON))
    ends = {"i-1": NOON + HOUR, "i-2": NOON + 2 * HOUR}
    gone = [replace(each, end=ends[each.resource_id]) for each in machines]
    for look in (4, 5):
        meter(ledger, pool.observe("p1", gone, NOTHING, {*KNOWN, "p1/idle"}, at=NOON + look * HOUR))
        assert [(each.resource_id, each.end) for each in ledger.intervals()] == [("p1/idle", NOON + 2 * HOUR)]


def test_a_pool_that_came_and_went_between_two_looks_is_paid_once(ledger: Ledger) -> None:
    gone = replace(machine("i-1"), start=NOON, end=NOON + HOUR)
    meter(ledger, pool.observe("p1", [gone], NOTHING, set(), at=NOON + 3 * HOUR))
    assert [(each.resource_id, each.end) for each in ledger.intervals()] == [("i-1", NOON + HOUR)]


def test_a_machine_without_a_price_leaves_all_shares_unknown() -> None:
    seen = pool.observe("p1", [machine("i-1"), sighting(price=UNKNOWN)], state(holding("ana", "2")), KNOWN, at=NOON)
    assert set(shares(seen).values()) == {None}


@pytest.mark.parametrize("more", ["8", "16"])
def test_jobs_that_hold_more_than_there_is_pay_all_and_no_more(more: str) -> None:
    held = state(holding("ana", "4"), holding("eva", more))
    paid = shares(pool.observe("p1", [machine("i-1")], held, KNOWN, at=NOON))
    assert sum(filter(None, paid.values())) == 8
    assert (paid["p1/idle"] or 0) < Decimal("1e-8")


@given(
    st.lists(st.decimals("0", "8", places=2), max_size=6),
    st.lists(st.decimals("0.0001", "100", places=4), min_size=1, max_size=3),
    st.integers(1, 16),
)
def test_jobs_and_the_idle_rest_cost_what_the_machines_cost(
    held: list[Decimal], prices: list[Decimal], gpus: int
) -> None:
    machines = [machine(f"i-{number}", str(usd)) for number, usd in enumerate(prices)]
    jobs = [holding(f"s{number}", str(amount)) for number, amount in enumerate(held)]
    known = {each.resource_id for each in machines}
    paid = shares(pool.observe("p1", machines, state(*jobs, gpus=str(gpus)), known, at=NOON))
    assert all(usd is not None and usd >= 0 for usd in paid.values())
    assert sum(filter(None, paid.values())) == sum(prices)
