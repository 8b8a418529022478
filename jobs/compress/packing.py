"""Small integers as a stream of bits in 32-bit words, in the layout of GPTQ's checkpoints, 3 bits included."""

from __future__ import annotations

import math
from typing import Any

WORD = 32


def pack(values: Any, bits: int) -> Any:
    """Pack along the second last axis: (…, n, m) uint8 below 2**bits to (…, n * bits / 32, m) int32.

    Raises:
        ValueError: the bits of a column do not fill whole words.
    """
    import torch

    per_period, words = _period(bits)
    if values.shape[-2] % per_period:
        raise ValueError(f"{values.shape[-2]} values of {bits} bits; allowed: multiples of {per_period}")
    periods = values.unflatten(-2, (-1, per_period))
    packed = torch.zeros(*periods.shape[:-2], words, periods.shape[-1], dtype=torch.int32, device=values.device)
    for index in range(per_period):
        word, offset = divmod(index * bits, WORD)
        value = periods[..., index, :].to(torch.int32)
        packed[..., word, :].bitwise_or_(value << offset)
        if offset + bits > WORD:  # A value of 3 bits may lie across two words.
            packed[..., word + 1, :].bitwise_or_(value >> (WORD - offset))
    return packed.flatten(-3, -2)


def unpack(packed: Any, bits: int) -> Any:
    """What `pack` was given: (…, w, m) int32 to (…, w * 32 / bits, m) uint8."""
    import torch

    per_period, words = _period(bits)
    periods = packed.unflatten(-2, (-1, words))
    values = torch.empty(*periods.shape[:-2], per_period, periods.shape[-1], dtype=torch.uint8, device=packed.device)
    for index in range(per_period):
        word, offset = divmod(index * bits, WORD)
        # The shift of a negative word fills with ones from the left; the mask takes them away where they matter.
        value = periods[..., word, :] >> offset
        if offset + bits > WORD:
            low = (1 << (WORD - offset)) - 1
            value = (value & low) | (periods[..., word + 1, :] << (WORD - offset))
        values[..., index, :] = value & ((1 << bits) - 1)
    return values.flatten(-3, -2)


def _period(bits: int) -> tuple[int, int]:
    """After how many values a value begins a word again, and how many words that is."""
    length = math.lcm(bits, WORD)
    return length // bits, length // WORD
