"""4-bit NormalFloat with double quantization (QLoRA, section 3), by bitsandbytes, and what it measures on storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BLOCK_SIZE = 64
"""Weights that share one 8-bit constant."""
NESTED_BLOCK_SIZE = 256
"""Constants that share one 32-bit constant."""

BITS_BY_FORMULA = 4 + 8 / BLOCK_SIZE + 32 / (BLOCK_SIZE * NESTED_BLOCK_SIZE)
"""4.127 bits a parameter: the weight, its share of the constant, and its share of the constant's constant."""


def nf4_config(compute_dtype: Any) -> Any:
    """What `from_pretrained` takes as `quantization_config`."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def keep_layout(model: Any) -> Any:
    """Keep the 4-bit weights as they were quantized, and return the model.

    On CPUs with AVX512-BF16, bitsandbytes packs the weights anew at the first forward pass in evaluation mode. The
    packed layout has no backward pass: whoever evaluates before training would train on gradients that end there.
    """
    for layer in _layers(model):
        layer.support_avx512bf16_for_cpu = False
    return model


def bits_per_parameter(model: Any) -> float:
    """Bits of storage of the 4-bit linear layers by parameter: weights, constants, and what is needed to read them.

    The two lookup tables are the same in all layers (16 and 256 numbers) and are counted once.
    """
    layers = list(_layers(model))
    if not layers:
        raise ValueError("the model has no 4-bit layer")
    own = sum(_bytes(tensor) for layer in layers for tensor in (layer.weight.data, *_constants(layer)))
    tables = {tuple(table.tolist()): _bytes(table) for layer in layers for table in _tables(layer)}
    num_parameters = sum(layer.in_features * layer.out_features for layer in layers)
    return float(8 * (own + sum(tables.values())) / num_parameters)


def model_mib(model: Any) -> float:
    """Memory of all weights with their quantization constants and tables, in MiB; tied weights count once."""
    tensors = list(model.parameters()) + list(model.buffers())
    tensors += [tensor for layer in _layers(model) for tensor in (*_constants(layer), *_tables(layer))]
    return sum(map(_bytes, tensors)) / 2**20


def _layers(model: Any) -> Iterator[Any]:
    import bitsandbytes

    return (module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit))


def _constants(layer: Any) -> list[Any]:
    """The 8-bit constants of the weight, and the mean and 32-bit constants that these are stored with."""
    state = layer.weight.quant_state
    return [state.absmax, state.offset, state.state2.absmax]


def _tables(layer: Any) -> list[Any]:
    """What 4 bits stand for, and what 8 bits stand for."""
    state = layer.weight.quant_state
    return [state.code, state.state2.code]


def _bytes(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())
