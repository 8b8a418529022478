"""A Mixtral: the sizes of a mixture of experts, the model, and the loss that keeps its experts busy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clusterlab.fit.shapes import Shape
from jobs.parallel.model import next_token_loss


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """A Mixtral: in every layer several experts, each a SwiGLU, and a router that chooses `top_k` of them by token."""

    dense: Shape
    """The Llama whose MLP is as wide as the experts that a token takes: as many active parameters, but for routers."""
    num_experts: int
    top_k: int

    @property
    def expert_size(self) -> int:
        """Columns of one expert."""
        return self.dense.intermediate_size // self.top_k

    @property
    def expert_parameters(self) -> int:
        """Of all experts of all layers: three matrices each."""
        return self.dense.num_layers * self.num_experts * 3 * self.dense.hidden_size * self.expert_size

    @property
    def router_parameters(self) -> int:
        """Of all layers: a row for each expert."""
        return self.dense.num_layers * self.num_experts * self.dense.hidden_size

    @property
    def total_parameters(self) -> int:
        """All that must be in memory: a Llama with all experts side by side, and the routers."""
        side_by_side = replace(self.dense, intermediate_size=self.num_experts * self.expert_size)
        return side_by_side.num_parameters + self.router_parameters

    @property
    def active_parameters(self) -> int:
        """All that one token is multiplied with, and the embedding."""
        return self.dense.num_parameters + self.router_parameters

    def exchanged_bytes(self, num_tokens: int, *, world_size: int, value_bytes: int) -> float:
        """What all ranks send to others in a training step, if routers send as many tokens to each of them.

        A token goes to `top_k` experts and comes back, in each layer, and so do the gradients: four times its hidden
        size (GShard, arXiv:2006.16668, section 3).
        """
        rows = self.dense.num_layers * num_tokens * self.top_k
        return 4 * rows * self.dense.hidden_size * value_bytes * (world_size - 1) / world_size


MIXTRAL_8X7B = Mixture(
    dense=Shape(
        name="mixtral-8x7b",
        hidden_size=4096,
        intermediate_size=2 * 14336,
        num_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=32000,
        tied=False,
    ),
    num_experts=8,
    top_k=2,
)
"""Jiang et al. (2024), arXiv:2401.04088, table 1."""


def mixtral(mixture: Mixture, seq_length: int, *, seed: int) -> Any:
    """A `MixtralForCausalLM` in float32 with weights drawn from the seed."""
    import torch
    from transformers import MixtralForCausalLM

    torch.manual_seed(seed)
    return MixtralForCausalLM(mixtral_config(mixture, seq_length)).train()


def mixtral_config(mixture: Mixture, seq_length: int) -> Any:
    """How transformers writes the sizes down."""
    from transformers import MixtralConfig

    dense = mixture.dense
    return MixtralConfig(
        hidden_size=dense.hidden_size,
        intermediate_size=mixture.expert_size,
        num_hidden_layers=dense.num_layers,
        num_attention_heads=dense.num_attention_heads,
        num_key_value_heads=dense.num_key_value_heads,
        num_local_experts=mixture.num_experts,
        num_experts_per_tok=mixture.top_k,
        vocab_size=dense.vocab_size,
        max_position_embeddings=seq_length,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=dense.tied,
        use_cache=False,
    )


def losses(model: Any, tokens: Any, top_k: int) -> tuple[Any, Any]:
    """Of token ids `[rows, length + 1]`: mean loss in nats a token, and the balance loss, both with their graph."""
    answer = model(tokens[:, :-1], output_router_logits=True)
    return next_token_loss(answer.logits, tokens), balance_loss(answer.router_logits, top_k)


def balance_loss(router_logits: Sequence[Any], top_k: int) -> Any:
    """Switch Transformer's auxiliary loss (arXiv:2101.03961, equations 4 to 6), the mean over the layers.

    Takes each layer's logits `[tokens, experts]`. It is 1 where every expert gets as many tokens, and the number of
    experts over `top_k` where the same `top_k` get all. Transformers' own adds the layers up first, so that an expert
    may do too much in one layer if it does too little in another.
    """
    import torch

    found = []
    for logits in router_logits:
        probabilities = logits.float().softmax(-1)
        num_experts = logits.shape[-1]
        chosen = torch.zeros_like(probabilities).scatter(-1, probabilities.topk(top_k).indices, 1 / top_k)
        found.append(num_experts * (chosen.mean(0) * probabilities.mean(0)).sum())
    return torch.stack(found).mean()
