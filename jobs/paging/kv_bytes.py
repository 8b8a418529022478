"""Bytes of keys and values that a token takes: by formula, and in the cache that transformers really fills."""

from __future__ import annotations

from typing import Any

PUBLISHED: dict[str, dict[str, int]] = {
    "llama_2_7b": {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
    "llama_2_70b": {
        "hidden_size": 8192,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
    },
    "llama_3_8b": {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
"""Shapes out of the models' config.json; all but the first share each key and value among several query heads (GQA)."""


def bytes_per_token(config: Any, itemsize: int) -> int:
    """A key and a value for each layer and key-value head, of a model's config, at `itemsize` bytes a number."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * int(config.num_hidden_layers) * int(config.num_key_value_heads) * int(head_dim) * itemsize


def cache_bytes_per_token(model: Any, num_tokens: int) -> float:
    """Run `num_tokens` through a model, and divide the bytes of the tensors in its DynamicCache by them.

    A model on the meta device computes shapes and types alone, so this works for one that no machine here holds.
    """
    import torch

    tokens = torch.zeros((1, num_tokens), dtype=torch.long, device=model.device)
    with torch.no_grad():
        cache = model(input_ids=tokens, use_cache=True).past_key_values
    tensors = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors)) / num_tokens


def skeleton(name: str) -> Any:
    """A published model in 16 bits, on tensors that hold no data."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**PUBLISHED[name])).to(torch.float16)
