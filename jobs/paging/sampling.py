"""Several outputs of one prompt: what they save when they share its blocks until they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.paging.blocks import BlockPool
from jobs.paging.trace import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What sharing saved."""

    blocks: float
    """The share of blocks that was saved, of those without sharing; over all steps, as in figure 15 of the paper."""
    copies_per_request: float
    """Blocks that were copied because an output was about to write into a block that others still referred to."""


def sample(requests: Sequence[Request], num_outputs: int, block_size: int) -> Saved:
    """Serve each request with `num_outputs` outputs, all as long as the one of the trace."""
    shared = alone = num_copies = 0
    for request in requests:
        most = num_outputs * (-(-request.total_tokens // block_size))
        pool = BlockPool(num_blocks=most, block_size=block_size)
        prompt = pool.allocate(request.prompt_tokens)
        tables = [prompt, *(pool.fork(prompt) for _ in range(num_outputs - 1))]
        for _ in range(request.output_tokens):
            copies = [pool.append(table) for table in tables]
            num_copies += sum(copy is not None for copy in copies)
            shared += most - pool.num_free
            alone += sum(len(table.blocks) for table in tables)
    return Saved(blocks=1 - shared / alone, copies_per_request=num_copies / len(requests))
