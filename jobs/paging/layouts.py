"""One trace through one memory by every layout: contiguous by three ways to reserve, and paged by block size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.paging.memory import Contiguous, Memory, Paged, reserve_exactly, reserve_longest, reserve_power_of_two
from jobs.paging.scheduler import Served, serve
from jobs.paging.trace import Request

CONTIGUOUS = {"max": reserve_longest, "pow2": reserve_power_of_two, "oracle": reserve_exactly}
PAGED = "paged"
BLOCK_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Of the sweep; each divides a memory that is a power of two."""


def serve_by_layout(
    requests: Sequence[Request], pool_tokens: int, longest: int, block_size: int
) -> Iterator[tuple[str, Served]]:
    """Serve the trace by every layout, the paged one by every block size too: by name, and such as `paged_16`."""
    memories: dict[str, Memory] = {
        name: Contiguous(pool_tokens, longest, reserve) for name, reserve in CONTIGUOUS.items()
    }
    memories[PAGED] = Paged(pool_tokens, block_size)
    memories |= {f"{PAGED}_{size}": Paged(pool_tokens, size) for size in BLOCK_SIZES}
    for name, memory in memories.items():
        yield name, serve(requests, memory)
