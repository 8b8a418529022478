"""The weights of a transformers Llama as megatron-core lays them out, and each rank's part of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clusterlab.fit.shapes import Shape

LAYER = re.compile(r"decoder\.layers\.(\d+)\.(.+)")
OUTSIDE = {
    "embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "decoder.final_layernorm.weight": "model.norm.weight",
    "output_layer.weight": "lm_head.weight",
}
IN_LAYER = {
    "input_layernorm.weight": "input_layernorm.weight",
    "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
    # Transformer Engine has a norm and the matrix after it as one module.
    "self_attention.linear_qkv.layer_norm_weight": "input_layernorm.weight",
    "mlp.linear_fc1.layer_norm_weight": "post_attention_layernorm.weight",
    "self_attention.linear_proj.weight": "self_attn.o_proj.weight",
    "mlp.linear_fc2.weight": "mlp.down_proj.weight",
}
"""What megatron-core calls a weight, and what transformers does."""
ROWS = ("embedding.word_embeddings.weight", "output_layer.weight")
COLUMNS = ("self_attention.linear_proj.weight", "mlp.linear_fc2.weight")
"""Which dimension tensor parallelism cuts; a weight that is in neither, such as a norm's, is whole on every rank."""


def fill(model: Any, weights: Mapping[str, Any], shape: Shape, *, rank: int, size: int) -> None:
    """Copy one tensor parallel rank's part of a `LlamaForCausalLM`'s state into a stage of a `GPTModel`."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(part(weights, name, shape, first_layer=first_layer(model), rank=rank, size=size))


def first_layer(model: Any) -> int:
    """The number in the whole model, from 0, of the first layer of a stage."""
    return int(model.decoder.layers[0].layer_number) - 1


def part(weights: Mapping[str, Any], name: str, shape: Shape, *, first_layer: int, rank: int, size: int) -> Any:
    """What a rank has as `name`, of the whole model's tensors under transformers' names: weights, or gradients.

    megatron-core counts a stage's layers from 0; `first_layer` is the number of its first one in the whole model.
    """
    match = LAYER.fullmatch(name)
    if match is None:
        return _cut(weights[OUTSIDE[name]], name, rank, size)
    prefix, inner = f"model.layers.{first_layer + int(match[1])}.", match[2]
    if inner == "self_attention.linear_qkv.weight":
        return _query_key_value(weights, prefix, shape).chunk(size)[rank]
    if inner == "mlp.linear_fc1.weight":
        return _gate_and_up(weights, prefix, rank, size)
    return _cut(weights[prefix + IN_LAYER[inner]], inner, rank, size)


def _cut(tensor: Any, name: str, rank: int, size: int) -> Any:
    if name in ROWS:
        return tensor.chunk(size, dim=0)[rank]
    if name in COLUMNS:
        return tensor.chunk(size, dim=1)[rank]
    return tensor


def _query_key_value(weights: Mapping[str, Any], prefix: str, shape: Shape) -> Any:
    """One matrix: for each key-value head the queries that share it, its key, its value."""
    import torch

    def by_group(name: str) -> Any:
        return weights[f"{prefix}self_attn.{name}.weight"].unflatten(0, (shape.num_key_value_heads, -1))

    return torch.cat([by_group(name) for name in ("q_proj", "k_proj", "v_proj")], dim=1).flatten(0, 1)


def _gate_and_up(weights: Mapping[str, Any], prefix: str, rank: int, size: int) -> Any:
    """One matrix: a rank's rows of the gate, then the same rows of up."""
    import torch

    return torch.cat([weights[f"{prefix}mlp.{name}.weight"].chunk(size)[rank] for name in ("gate_proj", "up_proj")])
