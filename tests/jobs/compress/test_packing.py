from __future__ import annotations

import pytest
import torch

from jobs.compress.packing import pack, unpack


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 8])
def test_what_is_packed_comes_out_again_for_every_width(bits: int) -> None:
    values = torch.randint(0, 2**bits, (2, 5, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(bits))
    packed = pack(values, bits)
    assert packed.shape == (2, 5, 96 * bits // 32)
    assert packed.dtype == torch.int32
    assert torch.equal(unpack(packed, bits), values)


def test_the_stream_begins_at_the_lowest_bit_and_runs_across_words() -> None:
    values = torch.zeros(32, dtype=torch.uint8)
    values[10] = 0b101  # of 3 bits: two in the first word, one in the second
    words = [word & 0xFFFFFFFF for word in pack(values, 3).tolist()]
    assert words == [0b01 << 30, 0b1, 0]


def test_values_that_do_not_fill_their_words_are_refused() -> None:
    with pytest.raises(ValueError, match="48 values of 3 bits; allowed: what fills words of 32"):
        pack(torch.zeros(48, dtype=torch.uint8), 3)
