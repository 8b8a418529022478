from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobs.paging.blocks import BlockPool, BlockTable, NoFreeBlockError

CHOICE = st.integers(min_value=0)


class Sequences(RuleBasedStateMachine):
    """Sequences that begin, grow, fork and end in any order. Their tokens are written where their tables say.

    What a table leads to must be what its sequence wrote, whatever the others wrote.
    """

    @initialize(num_blocks=st.integers(1, 12), block_size=st.integers(1, 4))
    def begin(self, num_blocks: int, block_size: int) -> None:
        self.pool = BlockPool(num_blocks=num_blocks, block_size=block_size)
        self.num_blocks = num_blocks
        self.memory = [[-1] * block_size for _ in range(num_blocks)]
        self.sequences: list[tuple[BlockTable, list[int]]] = []
        self.written = 0

    @rule(num_tokens=st.integers(1, 20))
    def allocate(self, num_tokens: int) -> None:
        free = self.pool.num_free
        if self.pool.blocks_of(num_tokens) > free:
            with pytest.raises(NoFreeBlockError):
                self.pool.allocate(num_tokens)
            assert self.pool.num_free == free
            return
        table = self.pool.allocate(num_tokens)
        self.sequences.append((table, [self._write(table, place) for place in range(num_tokens)]))

    @precondition(lambda self: self.sequences)
    @rule(choice=CHOICE)
    def append(self, choice: int) -> None:
        table, tokens = self._chosen(choice)
        before = list(table.blocks)
        try:
            copy = self.pool.append(table)
        except NoFreeBlockError:
            assert self.pool.num_free == 0
            assert (table.blocks, table.num_tokens) == (before, len(tokens))
            return
        if copy is not None:
            self.memory[copy.target] = list(self.memory[copy.source])
        tokens.append(self._write(table, len(tokens)))

    @precondition(lambda self: self.sequences)
    @rule(choice=CHOICE)
    def fork(self, choice: int) -> None:
        table, tokens = self._chosen(choice)
        free = self.pool.num_free
        self.sequences.append((self.pool.fork(table), list(tokens)))
        assert self.pool.num_free == free

    @precondition(lambda self: self.sequences)
    @rule(choice=CHOICE)
    def free(self, choice: int) -> None:
        table, _ = self.sequences.pop(choice % len(self.sequences))
        self.pool.free(table)

    @invariant()
    def every_sequence_reads_what_it_wrote(self) -> None:
        for table, tokens in self.sequences:
            size = self.pool.block_size
            assert [self.memory[table.blocks[i // size]][i % size] for i in range(table.num_tokens)] == tokens
            assert len(table.blocks) == self.pool.blocks_of(len(tokens))

    @invariant()
    def every_block_is_free_or_counted(self) -> None:
        tables = [table for table, _ in self.sequences]
        held = [block for table in tables for block in table.blocks]
        for table in tables:
            assert len(set(table.blocks)) == len(table.blocks)
        assert self.pool.references == [held.count(block) for block in range(self.num_blocks)]
        assert self.pool.num_free == self.num_blocks - len(set(held))

    def teardown(self) -> None:
        for table, _ in self.sequences:
            self.pool.free(table)
        assert self.pool.num_free == self.num_blocks

    def _chosen(self, choice: int) -> tuple[BlockTable, list[int]]:
        return self.sequences[choice % len(self.sequences)]

    def _write(self, table: BlockTable, place: int) -> int:
        self.written += 1
        self.memory[table.blocks[place // self.pool.block_size]][place % self.pool.block_size] = self.written
        return self.written


TestSequences = Sequences.TestCase


@given(num_tokens=st.integers(1, 1000), block_size=st.integers(1, 64))
def test_only_the_last_block_has_slots_to_spare(num_tokens: int, block_size: int) -> None:
    pool = BlockPool(num_blocks=1000, block_size=block_size)
    table = pool.allocate(num_tokens)
    assert 0 <= len(table.blocks) * block_size - num_tokens < block_size


def test_a_shared_block_is_copied_once_for_each_who_writes_but_the_last() -> None:
    pool = BlockPool(num_blocks=8, block_size=4)
    first = pool.allocate(6)
    second, third = pool.fork(first), pool.fork(first)
    shared = first.blocks[1]
    copies = [pool.append(table) for table in (first, second, third)]
    assert [copy and copy.source for copy in copies] == [shared, shared, None]
    assert third.blocks[1] == shared
    assert first.blocks[0] == second.blocks[0] == third.blocks[0]
