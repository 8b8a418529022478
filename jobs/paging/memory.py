"""How a server lays out keys and values: contiguous, by three ways to reserve, or in blocks; and what is wasted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jobs.paging.blocks import BlockPool, BlockTable, NoFreeBlockError
from jobs.paging.buddy import Buddy, power_of_two
from jobs.paging.trace import Request

WATERMARK = 0.01
"""Share of the blocks that stay free when a request is admitted, so that those which run can grow; as in vLLM 0.x."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What the slots of a memory are used for, in slots; a slot holds the keys and values of one token."""

    tokens: int
    """Slots that hold a token."""
    reserved: int
    """Slots that are kept for a token which their request is going to have."""
    internal: int
    """Slots that were handed out and that no token will ever fill: internal fragmentation."""
    external: int
    """Slots that are free and enough for the next request, but lie apart: external fragmentation."""
    free: int
    """All other slots."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            tokens=self.tokens + other.tokens,
            reserved=self.reserved + other.reserved,
            internal=self.internal + other.internal,
            external=self.external + other.external,
            free=self.free + other.free,
        )

    @property
    def waste(self) -> float:
        """The share that holds no token, of all slots that cannot be given to another request."""
        wasted = self.reserved + self.internal + self.external
        return wasted / (self.tokens + wasted)


class Memory(Protocol):
    """Where running requests keep their keys and values; requests are named by number."""

    def admit(self, name: int, request: Request, num_tokens: int) -> bool:
        """Make room for a request that has `num_tokens` so far; False where there is none, and nothing was taken."""
        ...

    def append(self, name: int) -> bool:
        """Make room for one more token; False where there is none."""
        ...

    def release(self, name: int) -> None:
        """Give up what a request has."""
        ...

    def usage(self, waiting: Request) -> Usage:
        """What the slots are used for now, while `waiting` is the next request."""
        ...


def reserve_longest(request: Request, longest: int) -> int:
    """The longest sequence that the model can have: Orca (Max) in the paper's figure 2."""
    del request
    return longest


def reserve_power_of_two(request: Request, longest: int) -> int:
    """The output's true length, rounded up to a power of two: Orca (Pow2)."""
    return min(longest, request.prompt_tokens + power_of_two(request.output_tokens))


def reserve_exactly(request: Request, longest: int) -> int:
    """The true length, which no server knows: Orca (Oracle)."""
    del longest
    return request.total_tokens


class Contiguous:
    """One chunk for each request, reserved at its start, out of a buddy allocator."""

    def __init__(self, size: int, longest: int, reserve: Callable[[Request, int], int]) -> None:
        """`size` slots; `reserve` says how many a request is given when sequences have at most `longest` tokens."""
        self._buddy = Buddy(size)
        self._longest = longest
        self._reserve = reserve
        self._running: dict[int, tuple[Request, int]] = {}
        self._num_tokens: dict[int, int] = {}

    def admit(self, name: int, request: Request, num_tokens: int) -> bool:
        """Take a chunk for all that the request may become."""
        start = self._buddy.allocate(self._reserve(request, self._longest))
        if start is None:
            return False
        self._running[name], self._num_tokens[name] = (request, start), num_tokens
        return True

    def append(self, name: int) -> bool:
        """There is always room: it was reserved."""
        self._num_tokens[name] += 1
        return True

    def release(self, name: int) -> None:
        """Give back the chunk."""
        _, start = self._running.pop(name)
        del self._num_tokens[name]
        self._buddy.free(start)

    def usage(self, waiting: Request) -> Usage:
        """What the slots are used for now."""
        free = self._buddy.num_free
        tokens = sum(self._num_tokens.values())
        final = sum(request.total_tokens for request, _ in self._running.values())
        needed = power_of_two(self._reserve(waiting, self._longest))
        external = free if self._buddy.largest_free < needed <= free else 0
        return Usage(
            tokens=tokens,
            reserved=final - tokens,
            internal=self._buddy.size - free - final,
            external=external,
            free=free - external,
        )


class Paged:
    """Blocks that a request takes one by one, as its tokens come."""

    def __init__(self, size: int, block_size: int) -> None:
        """`size` slots, in blocks of `block_size`."""
        self._pool = BlockPool(num_blocks=size // block_size, block_size=block_size)
        self._watermark = int(WATERMARK * (size // block_size))
        self._running: dict[int, tuple[Request, BlockTable]] = {}

    def admit(self, name: int, request: Request, num_tokens: int) -> bool:
        """Take blocks for the tokens that are there."""
        spare = self._pool.num_free - self._pool.blocks_of(num_tokens)
        # With nobody else to grow, the blocks that are kept free would be kept for nobody.
        if spare < (self._watermark if self._running else 0):
            return False
        self._running[name] = request, self._pool.allocate(num_tokens)
        return True

    def append(self, name: int) -> bool:
        """Take a block where the last one is full."""
        try:
            self._pool.append(self._running[name][1])
        except NoFreeBlockError:
            return False
        return True

    def release(self, name: int) -> None:
        """Give back the blocks."""
        self._pool.free(self._running.pop(name)[1])

    def usage(self, waiting: Request) -> Usage:
        """What the slots are used for now; any free block fits any request, so nothing lies apart."""
        del waiting
        size = self._pool.block_size
        tokens = sum(table.num_tokens for _, table in self._running.values())
        taken = sum(len(table.blocks) for _, table in self._running.values()) * size
        needed = sum(min(len(table.blocks) * size, request.total_tokens) for request, table in self._running.values())
        return Usage(
            tokens=tokens,
            reserved=needed - tokens,
            internal=taken - needed,
            external=0,
            free=self._pool.num_free * size,
        )
