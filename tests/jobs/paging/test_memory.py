from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.paging.layouts import CONTIGUOUS, serve_by_layout
from jobs.paging.memory import Contiguous, Memory, Paged, Usage, reserve_exactly, reserve_longest, reserve_power_of_two
from jobs.paging.sampling import sample
from jobs.paging.scheduler import serve
from jobs.paging.trace import Request

POOL, LONGEST = 64, 32
NEXT = Request(prompt_tokens=9, output_tokens=7)
REQUESTS = st.lists(
    st.builds(Request, prompt_tokens=st.integers(1, LONGEST // 2), output_tokens=st.integers(1, LONGEST // 2)),
    min_size=1,
    max_size=20,
)


def request(prompt_tokens: int, output_tokens: int) -> Request:
    return Request(prompt_tokens=prompt_tokens, output_tokens=output_tokens)


def memories() -> list[Memory]:
    contiguous = [Contiguous(POOL, LONGEST, reserve) for reserve in CONTIGUOUS.values()]
    return [*contiguous, *(Paged(POOL, size) for size in (1, 4, 16, 32))]


@pytest.mark.parametrize(
    ("memory", "usage"),
    [
        # 5 + 3 tokens of which 6 are there: 2 to come, 24 of the 32 reserved never filled.
        (Contiguous(POOL, LONGEST, reserve_longest), Usage(tokens=6, reserved=2, internal=24, external=0, free=32)),
        # 5 + 4 = 9 are asked for, and the allocator hands out 16.
        (Contiguous(POOL, LONGEST, reserve_power_of_two), Usage(tokens=6, reserved=2, internal=8, external=0, free=48)),
        (Contiguous(POOL, LONGEST, reserve_exactly), Usage(tokens=6, reserved=2, internal=0, external=0, free=56)),
        (Paged(POOL, 4), Usage(tokens=6, reserved=2, internal=0, external=0, free=56)),
        (Paged(POOL, 16), Usage(tokens=6, reserved=2, internal=8, external=0, free=48)),
    ],
)
def test_every_slot_is_counted_by_what_it_is_used_for(memory: Memory, usage: Usage) -> None:
    assert memory.admit(0, request(5, 3), 5)
    assert memory.append(0)
    assert memory.usage(NEXT) == usage
    memory.release(0)
    assert memory.usage(NEXT) == Usage(tokens=0, reserved=0, internal=0, external=0, free=POOL)


def test_what_is_free_but_lies_apart_counts_as_waste_only_of_a_contiguous_layout() -> None:
    memory = Contiguous(POOL, LONGEST, reserve_exactly)
    for name in range(4):
        assert memory.admit(name, request(8, 8), 8)
    memory.release(0)
    memory.release(2)
    assert not memory.admit(4, request(16, 16), 16)
    assert memory.usage(request(16, 16)) == Usage(tokens=16, reserved=16, internal=0, external=32, free=0)
    assert memory.usage(request(8, 8)).external == 0


def test_waste_is_the_share_without_tokens_of_what_nobody_else_can_have() -> None:
    assert Usage(tokens=20, reserved=10, internal=40, external=10, free=500).waste == 0.75


@given(REQUESTS)
def test_whatever_runs_the_slots_add_up_to_the_memory(requests: list[Request]) -> None:
    for memory in memories():
        admitted = [name for name, each in enumerate(requests) if memory.admit(name, each, each.prompt_tokens)]
        usage = memory.usage(NEXT)
        assert usage.tokens == sum(requests[name].prompt_tokens for name in admitted)
        assert usage.tokens + usage.reserved + usage.internal + usage.external + usage.free == POOL


@given(REQUESTS)
def test_every_trace_is_served_to_its_end_and_leaves_the_memory_empty(requests: list[Request]) -> None:
    for memory in memories():
        # A request that no memory has room for beside the others, so that something waits and is measured.
        served = serve([*requests, request(LONGEST // 2, LONGEST // 2)] * 3, memory)
        assert memory.usage(NEXT) == Usage(tokens=0, reserved=0, internal=0, external=0, free=POOL)
        assert 0 <= served.usage.waste < 1
        if isinstance(memory, Contiguous):
            assert (served.num_preemptions, served.recomputed) == (0, 0)


def test_blocks_of_one_token_waste_nothing() -> None:
    assert serve([request(5, 9)] * 20, Paged(POOL, 1)).usage.waste == 0


def test_who_came_last_makes_room_and_is_computed_anew() -> None:
    # Two run in six blocks of one token: at 3 + 3 tokens the second gives its 3 up, and begins again when the first
    # is at its end.
    served = serve([request(2, 4), request(2, 4)], Paged(6, 1))
    assert served.num_preemptions == 1
    assert served.recomputed == pytest.approx(3 / 12)


def test_who_made_room_is_served_before_those_who_never_ran() -> None:
    admitted: list[int] = []

    class Noting(Paged):
        def admit(self, name: int, request: Request, num_tokens: int) -> bool:
            has_room = super().admit(name, request, num_tokens)
            admitted.extend([name] * has_room)
            return has_room

    serve([request(2, 4), request(2, 4), request(4, 2)], Noting(6, 1))
    assert admitted == [0, 1, 1, 2]


def test_a_trace_that_fits_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2 requests fit all at once: nothing to measure"):
        serve([request(2, 2)] * 2, Paged(POOL, 4))


def test_paging_runs_more_at_once_and_every_layout_is_served() -> None:
    by_name = dict(serve_by_layout([request(100, 60)] * 60, 1024, 512, 16))
    assert by_name["paged"].mean_batch > 3 * by_name["max"].mean_batch
    assert by_name["paged"] == by_name["paged_16"]
    assert by_name["max"].usage.waste > by_name["oracle"].usage.waste > by_name["paged"].usage.waste


@pytest.mark.parametrize("num_outputs", [1, 2, 4])
def test_outputs_of_one_prompt_share_its_blocks(num_outputs: int) -> None:
    # A prompt of 16 blocks of 4, and outputs of 8 tokens: while they grow each has 1 and then 2 blocks of its own.
    found = sample([request(64, 8)], num_outputs, 4)
    own = (1 * 4 + 2 * 4) / 8
    assert found.blocks == pytest.approx(16 * (num_outputs - 1) / (num_outputs * (16 + own)))
    assert found.copies_per_request == 0


def test_the_last_block_of_a_prompt_is_copied_when_it_is_not_full() -> None:
    assert sample([request(6, 3)], 4, 4).copies_per_request == 3
