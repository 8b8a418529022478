"""A linear layer whose weights stay packed, and are unpacked in each forward pass."""

from __future__ import annotations

from typing import Any

import torch

from jobs.compress.packing import WORD, unpack
from jobs.compress.size import Shapes


class PackedLinear(torch.nn.Module):  # type: ignore[misc]
    """Holds what GPTQ's checkpoints do of a layer; empty, to be filled by `load_state_dict(assign=True)`.

    `qweight` (inputs * bits / 32, outputs) int32, `qzeros` (groups, outputs * bits / 32) int32 and `scales` (groups,
    outputs) float16.
    """

    def __init__(self, outputs: int, inputs: int, bits: int, group_size: int, *, bias: bool) -> None:
        super().__init__()
        self.bits, self.group_size = bits, group_size
        groups = inputs // group_size
        empty = {"device": "meta"}
        self.register_buffer("qweight", torch.empty(inputs * bits // WORD, outputs, dtype=torch.int32, **empty))
        self.register_buffer("qzeros", torch.empty(groups, outputs * bits // WORD, dtype=torch.int32, **empty))
        self.register_buffer("scales", torch.empty(groups, outputs, dtype=torch.float16, **empty))
        self.bias = torch.nn.Parameter(torch.empty(outputs, **empty)) if bias else None

    def weight(self, dtype: Any) -> Any:
        """The weights that the packed values stand for: (outputs, inputs)."""
        values = unpack(self.qweight.T, self.bits).unflatten(1, (-1, self.group_size))
        zeros, scales = unpack(self.qzeros, self.bits).T[:, :, None], self.scales.T[:, :, None]
        return ((values.to(dtype) - zeros.to(dtype)) * scales.to(dtype)).flatten(1)

    def forward(self, rows: Any) -> Any:
        """Rows of (…, inputs) to (…, outputs)."""
        return torch.nn.functional.linear(rows, self.weight(rows.dtype), self.bias)


def replace_layers(model: Any, shapes: Shapes, bits: int, group_size: int) -> None:
    """Put empty packed layers in the place of the named ones."""
    for name, (outputs, inputs) in shapes.items():
        parent, _, last = name.rpartition(".")
        bias = model.get_submodule(name).bias is not None
        setattr(model.get_submodule(parent), last, PackedLinear(outputs, inputs, bits, group_size, bias=bias))
