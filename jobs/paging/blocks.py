"""Paged memory: blocks of fixed size, a block table for each sequence, and blocks that several sequences share."""

from __future__ import annotations

from dataclasses import dataclass, field


class NoFreeBlockError(Exception):
    """Every block is taken; whoever asks waits or makes room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """The keys and values of one block that must be copied into another before anything is written."""

    source: int
    target: int


@dataclass(kw_only=True, slots=True)
class BlockTable:
    """One sequence: where its tokens lie. Token i is in slot i % block_size of block blocks[i // block_size]."""

    blocks: list[int] = field(default_factory=list)
    num_tokens: int = 0


class BlockPool:
    """The memory of a server's keys and values, as blocks; each counts how many tables refer to it.

    After Kwon et al. (2023), arXiv:2309.06180, sections 4.2 to 4.4.
    """

    def __init__(self, *, num_blocks: int, block_size: int) -> None:
        """All blocks are free; `block_size` is in tokens."""
        self.block_size = block_size
        self.references = [0] * num_blocks
        self._free = list(reversed(range(num_blocks)))

    @property
    def num_free(self) -> int:
        """Blocks that no table refers to."""
        return len(self._free)

    def blocks_of(self, num_tokens: int) -> int:
        """How many blocks hold so many tokens."""
        return -(-num_tokens // self.block_size)

    def allocate(self, num_tokens: int) -> BlockTable:
        """The table of a sequence that begins with so many tokens, its prompt.

        Raises:
            NoFreeBlockError: too few blocks are free; none was taken.
        """
        needed = self.blocks_of(num_tokens)
        if needed > self.num_free:
            raise NoFreeBlockError
        return BlockTable(blocks=[self._take() for _ in range(needed)], num_tokens=num_tokens)

    def append(self, table: BlockTable) -> Copy | None:
        """Make room for one more token, and say which block must be copied first, if any.

        A new block is taken when the last is full. A last block that others refer to is not written to: the sequence
        takes a copy for itself.

        Raises:
            NoFreeBlockError: a block is needed and none is free; the table is as it was.
        """
        copy = None
        if table.num_tokens % self.block_size == 0:
            table.blocks.append(self._take())
        elif self.references[table.blocks[-1]] > 1:
            copy = Copy(source=table.blocks[-1], target=self._take())
            self._drop(copy.source)
            table.blocks[-1] = copy.target
        table.num_tokens += 1
        return copy

    def fork(self, table: BlockTable) -> BlockTable:
        """A second sequence with the same tokens, in the same blocks."""
        for block in table.blocks:
            self.references[block] += 1
        return BlockTable(blocks=list(table.blocks), num_tokens=table.num_tokens)

    def free(self, table: BlockTable) -> None:
        """Give up a sequence; a block is free when nobody refers to it any more."""
        for block in table.blocks:
            self._drop(block)
        table.blocks, table.num_tokens = [], 0

    def _take(self) -> int:
        if not self._free:
            raise NoFreeBlockError
        block = self._free.pop()
        self.references[block] = 1
        return block

    def _drop(self, block: int) -> None:
        self.references[block] -= 1
        if self.references[block] == 0:
            self._free.append(block)
