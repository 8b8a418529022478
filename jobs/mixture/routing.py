"""Which experts the tokens of a text went to: how evenly, and whether it goes by their kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.mixture.text import Text
from jobs.parallel.experts import ExpertParallel
from jobs.parallel.tokens import Stream


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """Tokens by layer, kind and expert; one that goes to two experts counts twice."""

    counts: Sequence[Sequence[Sequence[int]]]

    @classmethod
    def of(cls, engine: ExpertParallel, text: Text, micro_batch_size: int) -> Routing:
        """Of the held-out rows. All ranks at once; each takes as many rows, and what is left over is left out."""
        import torch
        import torch.distributed as dist

        num_kinds, num_experts = len(text.names), engine.mixture.num_experts
        counts = torch.zeros(engine.mixture.dense.num_layers, num_kinds * num_experts, device=engine.device)
        parts = (_share(stream, engine, micro_batch_size) for stream in (text.held_out, text.kinds))
        for tokens, kinds in zip(*parts, strict=True):
            cells = kinds[:, :-1].reshape(-1, 1).to(engine.device) * num_experts + engine.experts_of(tokens)
            for layer, cell in zip(counts, cells.flatten(1), strict=True):
                layer += cell.bincount(minlength=layer.numel())
        dist.all_reduce(counts)
        return cls(counts=counts.view(-1, num_kinds, num_experts).tolist())

    def loads(self) -> Any:
        """Each expert's share of a layer's tokens: `[layers, experts]`, rows that sum to 1."""
        counts = self._array().sum(1)
        return counts / counts.sum(1, keepdims=True)

    def by_kind(self) -> Any:
        """Each expert's share of a kind's tokens: `[layers, kinds, experts]`, rows that sum to 1."""
        counts = self._array()
        return counts / counts.sum(2, keepdims=True).clip(1)

    def layer_of_kinds(self) -> int:
        """The layer whose experts tell most of a token's kind, counted from 0."""
        return int(self._bits().argmax())

    def metrics(self) -> dict[str, float]:
        """How uneven the loads are, in the mean and the worst layer, and what an expert tells of the kind.

        `load_variation` is the standard deviation over the mean, `load_most` the largest load over the mean: what the
        slowest rank makes all others wait for. `idle_experts` is the share of those with less than a tenth of the
        mean. `kind_bits` is the mutual information of a token's kind and its expert, in bits, in the layer with most.
        """
        loads = self.loads()
        over_mean = loads * loads.shape[1]
        return {
            "load_variation": float(over_mean.std(1).mean()),
            "load_most": float(over_mean.max(1).mean()),
            "load_most_in_a_layer": float(over_mean.max()),
            "idle_experts": float((over_mean < 0.1).mean()),
            "kind_bits": float(self._bits().max()),
        }

    def _bits(self) -> Any:
        """By layer."""
        import numpy as np

        joint = self._array() / self._array().sum((1, 2), keepdims=True)
        apart = joint.sum(1, keepdims=True) * joint.sum(2, keepdims=True)
        return (joint * np.log2(np.where(joint > 0, joint, 1) / np.where(joint > 0, apart, 1))).sum((1, 2))

    def _array(self) -> Any:
        import numpy as np

        return np.array(self.counts, dtype=float)


def held_out_loss(engine: Any, text: Text, micro_batch_size: int) -> float:
    """In nats a token. All ranks at once; each takes as many rows, and what is left over is left out."""
    import torch
    import torch.distributed as dist

    total = torch.zeros(2, device=engine.device)
    for tokens in _share(text.held_out, engine, micro_batch_size):
        with torch.no_grad():
            total[0] += engine.loss(tokens) * len(tokens)
        total[1] += len(tokens)
    dist.all_reduce(total)
    return float(total[0] / total[1])


def _share(stream: Stream, engine: Any, micro_batch_size: int) -> Any:
    """This rank's rows, in micro-batches."""
    each = len(stream.ids) // stream.row_length // engine.data_size
    return stream.rows(engine.data_rank * each, each).split(micro_batch_size)
