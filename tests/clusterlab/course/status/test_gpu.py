from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clusterlab.course.status.gpu import LOW_PERCENT, Gpu, State, join, with_looks
from clusterlab.course.status.looks import Low
from tests.clusterlab.course.status.snapshots import NOON, gpu, held, machine, snapshot

L4_USD = Decimal("0.8048")
T4_USD = Decimal("3.912")


def low(minutes: int) -> Low:
    return Low(since=NOON - timedelta(minutes=minutes), last=NOON, num_looks=5)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (gpu(percent=LOW_PERCENT), State.BUSY),
        (gpu(percent=LOW_PERCENT - 1), State.LOW),
        (gpu(percent=LOW_PERCENT - 1, low=low(14)), State.LOW),
        (gpu(percent=0, low=low(15)), State.IDLE),
        (gpu(percent=None), State.UNMEASURED),
        (gpu(percent=0, jobs=(), low=low(60)), State.FREE),
        (gpu(percent=0, jobs=(), billed=True, low=low(60)), State.IDLE),
    ],
)
def test_a_gpu_is_idle_where_it_is_held_and_was_low_for_long(seen: Gpu, state: State) -> None:
    assert seen.state is state


def test_a_job_on_a_gpu_does_not_make_it_busy() -> None:
    [found] = with_looks(join([gpu(1, 0)], held(machine(1))), {f"{machine(1).id}/GPU-1/raysubmit_1": low(15)})
    assert (found.state, found.usd_per_hour) == (State.IDLE, L4_USD)


def test_another_job_is_no_longer_the_one_that_was_low() -> None:
    lows = {f"{machine(1).id}/GPU-1/raysubmit_1": low(60)}
    [found] = with_looks(join([gpu(1, 0, jobs=("raysubmit_2",))], held(machine(1))), lows)
    assert found.state is State.LOW


def test_a_gpu_costs_its_share_of_its_machine() -> None:
    four = machine(1, shape="g4dn.12xlarge")
    found = join([gpu(1, 90, index=each, uuid=str(each)) for each in range(4)], held(four))
    assert [each.usd_per_hour for each in found] == [T4_USD / 4] * 4
    assert {each.machine for each in found} == {four.id}


def test_gpus_of_a_machine_that_nobody_measures_are_not_taken_for_busy_or_idle() -> None:
    [found] = join([], held(machine(1, shape="g4dn.12xlarge")))
    assert (found.state, found.count, found.model, found.usd_per_hour) == (State.UNMEASURED, 4, "T4", T4_USD)
    assert found.students == ("ana",)


def test_what_is_not_billed_or_has_no_gpu_has_none() -> None:
    assert join([], held(machine(1, state="stopped"), machine(2, shape="m5.large"))) == ()


def test_an_address_of_two_machines_names_neither() -> None:
    there = held(machine(1), machine(2, private_ip=machine(1).private_ip))
    measured = [each for each in join([gpu(1, 0)], there) if each.percent == 0]
    assert [(each.machine, each.usd_per_hour) for each in measured] == [(machine(1).private_ip, None)]


def test_idle_dollars_leave_nothing_out_without_saying_so() -> None:
    lows = {f"{machine(1).id}/GPU-1/raysubmit_1": low(30)}
    measured = snapshot(machines=[machine(1)], gpus=[gpu(1, 0)], lows=lows)
    assert measured.idle_per_hour is not None
    assert (measured.idle_per_hour.usd, measured.idle_per_hour.complete) == (L4_USD, True)
    beside = snapshot(machines=[machine(1), machine(2)], gpus=[gpu(1, 0)], lows=lows)
    assert str(beside.idle_per_hour) == "0.80 incomplete"
    assert snapshot(machines=None, gpus=None).idle_per_hour is None


def test_a_machine_that_the_catalog_does_not_know_has_an_unknown_price() -> None:
    [found] = join([replace(gpu(1, 0), jobs=())], held(machine(1, shape="p9.huge")))
    assert (found.state, found.usd_per_hour) == (State.LOW, None)
