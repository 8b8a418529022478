"""Expert parallelism: each rank has some of a layer's experts, and tokens travel to theirs and back by all-to-all.

No expert has a capacity, so that no token is ever dropped: a rank computes what it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor, Shard
from torch.nn.functional import grouped_mm, silu


@dataclass(kw_only=True, slots=True)
class Traffic:
    """What one rank has had to do with others."""

    sent_bytes: int = 0
    """Of tokens and their gradients, to other ranks."""
    rows: int = 0
    """Tokens that its experts computed; one that two experts computed counts twice."""


class SpreadExperts(nn.Module):  # type: ignore[misc]
    """In the place of transformers' `MixtralExperts`, with this rank's experts only.

    Its weights have the same names and shapes for a checkpoint: DTensors that are split over the ranks by expert.
    """

    def __init__(self, whole: Any, mesh: Any, traffic: Traffic, dtype: Any) -> None:
        super().__init__()
        self.gate_up_proj, self.down_proj = _own(whole.gate_up_proj, mesh), _own(whole.down_proj, mesh)
        self._group, self._world_size = mesh.get_group(), mesh.size()
        self._num_experts = whole.num_experts
        self._traffic, self._dtype = traffic, dtype

    def forward(self, hidden: Any, top_k_index: Any, top_k_weights: Any) -> Any:
        """Tokens `[tokens, hidden]`, and by token its experts and what each counts `[tokens, top_k]`."""
        chosen = top_k_index.flatten()
        order = chosen.argsort(stable=True)
        sent = chosen.bincount(minlength=self._num_experts).view(self._world_size, -1)
        got = torch.empty_like(sent)
        dist.all_to_all_single(got, sent, group=self._group)
        away, here = sent.sum(1).tolist(), got.sum(1).tolist()
        rows = hidden.to(self._dtype)[order // top_k_index.shape[1]]
        computed = self._compute(self._exchange(rows, away, here), got)
        back = self._exchange(computed, here, away)[order.argsort()]
        return (back.view(*top_k_weights.shape, -1) * top_k_weights[..., None]).sum(1).to(hidden.dtype)

    def _exchange(self, rows: Any, away: list[int], here: list[int]) -> Any:
        return _AllToAll.apply(rows, away, here, self._group, self._traffic)

    def _compute(self, rows: Any, counts: Any) -> Any:
        """Rows that lie by rank that sent them, and for each by expert, as `counts` `[ranks, experts]` says."""
        self._traffic.rows += len(rows)
        experts = torch.arange(counts.shape[1], device=rows.device).repeat(len(counts))
        order = experts.repeat_interleave(counts.flatten()).argsort(stable=True)
        ends = counts.sum(0).cumsum(0, dtype=torch.int32)
        gate_up, down = (weight.to_local().to(self._dtype).mT for weight in (self.gate_up_proj, self.down_proj))
        gate, up = grouped_mm(rows[order], gate_up, offs=ends).chunk(2, dim=-1)
        return grouped_mm(silu(gate) * up, down, offs=ends)[order.argsort()]


def spread(model: Any, mesh: Any, traffic: Traffic, dtype: Any) -> None:
    """Leave of a Mixtral's experts, in place, only those of this rank. All ranks at once."""
    for layer in model.model.layers:
        layer.mlp.experts = SpreadExperts(layer.mlp.experts, mesh, traffic, dtype)


def _own(weights: Any, mesh: Any) -> Any:
    """This rank's experts of weights `[experts, ...]` that every rank has."""
    mine = weights.detach().chunk(mesh.size())[mesh.get_local_rank()]
    mine = mine.to(mesh.device_type, copy=True)  # Else the others' would stay in memory.
    return nn.Parameter(DTensor.from_local(mine, mesh, [Shard(0)], run_check=False))


class _AllToAll(torch.autograd.Function):  # type: ignore[misc]
    """Send `away[rank]` rows to each rank and get `here[rank]`; their gradients go the other way.

    torch has it with a graph in a private module only, and that does not say what the backward pass sends.
    """

    @staticmethod
    def forward(context: Any, rows: Any, away: Sequence[int], here: Sequence[int], group: Any, traffic: Traffic) -> Any:
        context.away, context.here, context.group, context.traffic = away, here, group, traffic
        return _send(rows, away, here, group, traffic)

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        given = _send(gradient, context.here, context.away, context.group, context.traffic)
        return given, None, None, None, None


def _send(rows: Any, away: Sequence[int], here: Sequence[int], group: Any, traffic: Traffic) -> Any:
    got = rows.new_empty(sum(here), rows.shape[1])
    dist.all_to_all_single(got, rows.contiguous(), list(here), list(away), group=group)
    to_others = sum(away) - away[dist.get_rank(group)]
    traffic.sent_bytes += to_others * rows.shape[1] * rows.element_size()
    return got
