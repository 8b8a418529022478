"""A Llama-type model from its shape, with the same random weights on every rank."""

from __future__ import annotations

from typing import Any

from clusterlab.fit.memory import Recompute
from clusterlab.fit.shapes import Shape


def llama(
    shape: Shape, seq_length: int, *, seed: int, recompute: Recompute = Recompute.NONE, attention: str = "sdpa"
) -> Any:
    """A `LlamaForCausalLM` in float32 with weights drawn from the seed.

    `attention` is one of transformers': `sdpa` has no matrix of attention weights in memory, `eager` has.
    """
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    name = _recomputed(attention) if recompute is Recompute.SELECTIVE else attention
    model = LlamaForCausalLM(llama_config(shape, seq_length, attention=name))
    if recompute is Recompute.FULL:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def llama_config(shape: Shape, seq_length: int, *, attention: str = "sdpa") -> Any:
    """How transformers writes a shape down."""
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_attention_heads,
        num_key_value_heads=shape.num_key_value_heads,
        vocab_size=shape.vocab_size,
        max_position_embeddings=seq_length,
        tie_word_embeddings=shape.tied,
        use_cache=False,
        attn_implementation=attention,
    )


def adamw(model: Any, *, learning_rate: float, weight_decay: float) -> Any:
    """AdamW (Loshchilov and Hutter, 2019) on all weights, norms too, in one fused loop over each."""
    from torch.optim import AdamW

    return AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def next_token_loss(logits: Any, tokens: Any) -> Any:
    """Mean cross-entropy in nats a token, in float32, of logits `[rows, length, vocabulary]`.

    They were computed from `tokens[:, :-1]` of token ids `[rows, length + 1]`.
    """
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())


def _recomputed(attention: str) -> str:
    """Register an attention whose core is computed again in the backward pass; returns its name."""
    from torch.utils.checkpoint import checkpoint
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
    from transformers.models.llama.modeling_llama import eager_attention_forward

    core = {"sdpa": sdpa_attention_forward, "eager": eager_attention_forward}[attention]

    def forward(*arguments: Any, **options: Any) -> Any:
        return checkpoint(core, *arguments, use_reentrant=False, **options)

    name = f"recomputed_{attention}"
    AttentionInterface.register(name, forward)
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[attention])
    return name
