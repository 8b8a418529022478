"""Bytes that a model takes, however its weights are stored, and bits by parameter of its linear layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jobs.compress.layers import decoder_linears

Shapes = Mapping[str, tuple[int, int]]
"""Name of each linear layer to (output features, input features)."""

WEIGHT_FILES = (".safetensors", ".bin", ".pt", ".gguf")


def linear_shapes(model: Any) -> dict[str, tuple[int, int]]:
    """The linear layers that quantizers work on, those of the blocks and not the head, of an unquantized model."""
    return {name: (linear.out_features, linear.in_features) for name, linear in decoder_linears(model).items()}


def group_problems(shapes: Shapes, group_size: int) -> list[str]:
    """The layers whose rows are not whole groups, each by its name."""
    return [
        f"{layer}: {inputs} input features; allowed: a GROUP_SIZE that divides them"
        for layer, (_, inputs) in shapes.items()
        if inputs % group_size
    ]


def memory_bytes(model: Any) -> int:
    """Bytes of all weights and buffers, and of what is needed to read them; what is shared counts once.

    Counts what tensor subclasses hold (torchao), and the constants and tables of bitsandbytes. To be asked before the
    first forward pass: on CPUs with AVX512-BF16 bitsandbytes packs 4-bit weights anew then, and drops constants.
    """
    return _bytes((*_stored(model), *_tables(model)))


def bits_per_parameter(model: Any, shapes: Shapes) -> float:
    """Bits that the named layers store by weight; `model` is the quantized one, `shapes` those of the unquantized.

    A table that says what the stored bits stand for counts once, as it is the same in all layers.
    """
    layers = [model.get_submodule(name) for name in shapes]
    tables = {tuple(table.tolist()): table for layer in layers for table in _tables(layer)}
    stored = _bytes([tensor for layer in layers for tensor in _stored(layer)]) + _bytes(tables.values())
    return 8 * stored / num_weights(shapes)


def num_weights(shapes: Shapes) -> int:
    """Weights of all layers."""
    return sum(rows * columns for rows, columns in shapes.values())


def disk_bytes(folder: Path) -> int:
    """Bytes of a checkpoint's files of weights."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in WEIGHT_FILES)


def _bytes(tensors: Iterable[Any]) -> int:
    """Bytes of all tensors, of those at one place in memory once."""
    leaves = {}
    for tensor in tensors:
        for leaf in _leaves(tensor):
            leaves[leaf.data_ptr() or id(leaf), leaf.numel()] = leaf
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves.values())


def _stored(module: Any) -> Iterator[Any]:
    """Parameters and buffers, and the constants that bitsandbytes keeps beside them."""
    for tensor in (*module.parameters(), *module.buffers()):
        yield tensor
        for state in _states(tensor):
            yield from (each for each in (state.absmax, state.offset) if each is not None)
    for each in module.modules():
        # LLM.int8()'s constants of the rows hang at its weight, and after the first forward pass at its state.
        for holder in (getattr(each, "weight", None), getattr(each, "state", None)):
            constants = getattr(holder, "SCB", None)
            if constants is not None:
                yield constants


def _tables(module: Any) -> Iterator[Any]:
    return (state.code for tensor in module.parameters() for state in _states(tensor))


def _states(tensor: Any) -> Iterator[Any]:
    """The states of a 4-bit weight of bitsandbytes: its own, and with double quantization that of its constants."""
    state = getattr(tensor, "quant_state", None)
    while state is not None:
        yield state
        state = state.state2


def _leaves(tensor: Any) -> list[Any]:
    """The plain tensors of one, which may be a subclass that is made of several."""
    data = getattr(tensor, "data", tensor)
    if not hasattr(data, "__tensor_flatten__"):
        return [data]
    names, _ = data.__tensor_flatten__()
    return [leaf for name in names for leaf in _leaves(getattr(data, name))]
