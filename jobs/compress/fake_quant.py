"""Integer weights in groups by torchao: after training, or rounded in every forward pass of it.

Quantization-aware training (Jacob et al., 2018, arXiv:1712.05877) computes with rounded weights and passes gradients
through the rounding as if it were not there, to weights that are not rounded.
"""

from __future__ import annotations

from typing import Any

from clusterlab.errors import InputError, MissingError, Problem
from jobs.compress.layers import decoder_linears
from jobs.compress.size import Shapes, group_problems

WIDTHS = (2, 3, 4, 5, 6, 7, 8)
"""Bits that torchao trains for."""


def check_group_size(shapes: Shapes, group_size: int) -> None:
    """See that every layer's rows are whole groups.

    Raises:
        InputError: a row is not; every such layer is named.
    """
    problems = [Problem(path=f"GROUP_SIZE={group_size}", message=found) for found in group_problems(shapes, group_size)]
    if problems:
        raise InputError(problems)


def quantize_weights(model: Any, bits: int, group_size: int) -> None:
    """Post-training quantization: round the weights of the decoder's linear layers to nearest, in place."""
    _apply(model, _weight_only(bits, group_size))


def prepare(model: Any, bits: int, group_size: int) -> None:
    """Have those layers round their weights in every forward pass, in place; the weights stay trainable."""
    from torchao.quantization.qat import QATConfig

    _apply(model, QATConfig(_weight_only(bits, group_size), step="prepare"))


def convert(model: Any, bits: int, group_size: int) -> None:
    """Round the weights of a prepared model once and for all, in place."""
    from torchao.quantization.qat import QATConfig

    _apply(model, QATConfig(_weight_only(bits, group_size), step="convert"))


def _weight_only(bits: int, group_size: int) -> Any:
    """What torchao takes; symmetric, with a scale of the weights' own dtype for each group.

    Raises:
        MissingError: torchao is not installed.
    """
    import torch

    try:
        from torchao.quantization import IntxWeightOnlyConfig, PerGroup
    except ModuleNotFoundError:
        raise MissingError("torchao: not installed; install it with `make env`") from None
    return IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=PerGroup(group_size))


def _apply(model: Any, config: Any) -> None:
    from torchao.quantization import quantize_

    names = set(decoder_linears(model))
    quantize_(model, config, filter_fn=lambda _, name: name in names)
