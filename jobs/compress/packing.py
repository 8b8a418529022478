"""Small integers as a stream of bits in 32-bit words, in the layout of GPTQ's checkpoints, 3 bits included.

The stream is the same in bytes as in words of a little-endian machine, so bytes are what is worked on: a fourth of the
memory to go through.
"""

from __future__ import annotations

import math
from typing import Any

WORD = 32
BYTE = 8


def pack(values: Any, bits: int) -> Any:
    """Pack along the last axis: (…, n) uint8 below 2**bits to (…, n * bits / 32) int32.

    Raises:
        ValueError: the bits do not fill whole words.
    """
    import torch

    if values.shape[-1] * bits % WORD:
        raise ValueError(f"{values.shape[-1]} values of {bits} bits; allowed: what fills words of {WORD}")
    if bits == BYTE:
        return values.contiguous().view(torch.int32)
    if bits == BYTE // 2:  # The most used width needs no steps over single bytes, which are slow.
        pairs = values.contiguous().view(torch.int16)
        return (pairs | (pairs >> bits)).to(torch.uint8).view(torch.int32)
    per_period, num_bytes = _period(bits)
    periods = values.unflatten(-1, (-1, per_period))
    packed = torch.zeros(*periods.shape[:-1], num_bytes, dtype=torch.uint8, device=values.device)
    for index in range(per_period):
        place, offset = divmod(index * bits, BYTE)
        packed[..., place].bitwise_or_(periods[..., index] << offset)
        if offset + bits > BYTE:  # A value of 3 bits may lie across two bytes.
            packed[..., place + 1].bitwise_or_(periods[..., index] >> (BYTE - offset))
    return packed.flatten(-2).view(torch.int32)


def unpack(packed: Any, bits: int) -> Any:
    """What `pack` was given: (…, w) int32 to (…, w * 32 / bits) uint8."""
    import torch

    data = packed.contiguous().view(torch.uint8)
    if bits == BYTE:
        return data
    per_period, num_bytes = _period(bits)
    periods = data.unflatten(-1, (-1, num_bytes))
    values = torch.empty(*periods.shape[:-1], per_period, dtype=torch.uint8, device=packed.device)
    for index in range(per_period):
        place, offset = divmod(index * bits, BYTE)
        value = periods[..., place] >> offset
        if offset + bits > BYTE:
            value = value | (periods[..., place + 1] << (BYTE - offset))
        values[..., index] = value & ((1 << bits) - 1)
    return values.flatten(-2)


def _period(bits: int) -> tuple[int, int]:
    """After how many values a value begins a byte again, and how many bytes that is."""
    length = math.lcm(bits, BYTE)
    return length // bits, length // BYTE
