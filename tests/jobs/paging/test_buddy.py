from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.paging.buddy import Buddy, power_of_two

SIZE = 64
STEPS = st.lists(st.one_of(st.integers(1, SIZE), st.just(None)), max_size=40)
"""A size is asked for, None gives the oldest chunk back."""


@given(STEPS)
def test_no_slot_is_handed_out_twice_and_all_come_back(steps: list[int | None]) -> None:
    buddy = Buddy(SIZE)
    held: dict[int, int] = {}
    for size in steps:
        if size is None:
            if held:
                start = next(iter(held))
                held.pop(start)
                buddy.free(start)
        else:
            largest = buddy.largest_free
            given_start = buddy.allocate(size)
            assert (given_start is None) == (largest < power_of_two(size))
            if given_start is not None:
                held[given_start] = power_of_two(size)
        slots = [slot for start, length in held.items() for slot in range(start, start + length)]
        assert len(set(slots)) == len(slots)
        assert all(0 <= slot < SIZE for slot in slots)
        assert buddy.num_free == SIZE - len(slots)
    for start in held:
        buddy.free(start)
    assert buddy.largest_free == SIZE


def test_free_slots_that_lie_apart_hold_no_larger_chunk() -> None:
    buddy = Buddy(8)
    starts = [buddy.allocate(2) for _ in range(4)]
    assert starts == [0, 2, 4, 6]
    buddy.free(2)
    buddy.free(4)
    assert buddy.num_free == 4
    assert buddy.allocate(4) is None
    buddy.free(6)
    assert buddy.allocate(3) == 4
