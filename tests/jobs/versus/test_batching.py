from __future__ import annotations

import random

import pytest

from jobs.versus.batching import batches, continuous_schedule, static_schedule


def test_a_static_batch_lasts_as_long_as_its_longest_answer() -> None:
    schedule = static_schedule([1, 4, 2, 2], 2)
    assert schedule.busy == (2, 1, 1, 1, 2, 2)
    assert schedule.useful == 9 / 12


def test_a_free_slot_goes_to_the_next_request_at_once() -> None:
    schedule = continuous_schedule([1, 4, 2, 2], 2)
    assert schedule.busy == (2, 2, 2, 2, 1)
    assert schedule.useful == 9 / 10


def test_equal_lengths_gain_nothing() -> None:
    lengths = [64] * 128
    assert static_schedule(lengths, 32) == continuous_schedule(lengths, 32)
    assert static_schedule(lengths, 32).useful == 1


def test_fewer_requests_than_slots_leave_slots_idle() -> None:
    for schedule in (static_schedule([3, 1], 4), continuous_schedule([3, 1], 4)):
        assert schedule.busy == (2, 1, 1)
        assert schedule.useful == 4 / 12


@pytest.mark.parametrize("seed", range(5))
def test_both_write_every_token_that_was_asked_for(seed: int) -> None:
    chosen = random.Random(seed)
    lengths = [chosen.choice([4, 8, 16, 256]) for _ in range(128)]
    static, continuous = static_schedule(lengths, 32), continuous_schedule(lengths, 32)
    assert sum(static.busy) == sum(continuous.busy) == sum(lengths)
    assert max(continuous.busy) == 32
    assert static.num_steps == sum(max(batch) for batch in batches(lengths, 32))
    # Graham (1969): no slot waits while there is work, so at most the mean load and the longest answer.
    assert continuous.num_steps <= sum(lengths) / 32 + max(lengths)
