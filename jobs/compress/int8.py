"""Vector-wise int8 and LLM.int8()'s decomposition (Dettmers et al., 2022, arXiv:2208.07339, section 3).

A product of activations (tokens, in) and weights (out, in) has an inner product for each token and output. Vector-wise
quantization gives each row of both a scale of its own, so that every inner product is scaled by two numbers. One large
activation then sets the step of its whole token. The decomposition takes the columns that hold one out of int8.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.compress.layers import decoder_linears

LARGEST = 127
"""Of the 256 values of int8 the symmetric 255 are used."""
THRESHOLD = 6.0
"""From which magnitude on an activation is an outlier: section 3.2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Rows:
    """A matrix whose rows have one scale each."""

    values: Any
    """(rows, columns), int8."""
    scales: Any
    """(rows, 1), float32: what one step of a row is worth."""

    @classmethod
    def of(cls, matrix: Any) -> Int8Rows:
        """Round to nearest, the largest magnitude of each row to 127; a row of zeros stays one."""
        import torch

        matrix = matrix.float()
        scales = matrix.abs().amax(dim=1, keepdim=True) / LARGEST
        steps = matrix / scales.clamp(min=torch.finfo(torch.float32).tiny)
        return cls(values=steps.round().to(torch.int8), scales=scales)


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Linear:
    """A linear layer in W8A8: int8 weights, activations quantized as they come, sums in int32."""

    weight: Int8Rows
    bias: Any | None
    threshold: float | None = None
    """Columns with an activation of this magnitude are multiplied unquantized; None: every column is quantized."""
    wide_weight: Any | None = None
    """(out, in): where outlier columns take their weights from, as in the paper, which quantizes none of them.

    Without it they come out of the int8 weights, as in bitsandbytes, which keeps no other.
    """

    @classmethod
    def of(cls, linear: Any) -> Int8Linear:
        """Quantize the weights of a `torch.nn.Linear`."""
        return cls(weight=Int8Rows.of(linear.weight.detach()), bias=linear.bias)

    def __call__(self, activations: Any) -> Any:
        """(…, in) to (…, out), in the activations' dtype."""
        flat = activations.reshape(-1, activations.shape[-1]).float()
        product = self._product(flat)
        if self.bias is not None:
            product = product + self.bias
        return product.reshape(*activations.shape[:-1], -1).to(activations.dtype)

    def _product(self, flat: Any) -> Any:
        if self.threshold is None:
            return int8_product(Int8Rows.of(flat), self.weight)
        outliers = outlier_columns(flat, self.threshold)
        # Zeros add nothing to the integer sums, and do not set the step of their token any more.
        regular = int8_product(Int8Rows.of(flat.masked_fill(outliers, 0)), self.weight)
        if self.wide_weight is not None:
            weight = self.wide_weight[:, outliers].float()
        else:
            weight = self.weight.values[:, outliers] * self.weight.scales
        return regular + flat[:, outliers] @ weight.T


def outlier_columns(activations: Any, threshold: float) -> Any:
    """(in,), bool: the columns of (…, in) in which any token reaches the threshold."""
    return (activations.abs() >= threshold).flatten(0, -2).any(dim=0)


def int8_product(left: Int8Rows, right: Int8Rows) -> Any:
    """(m, k) by the transposed (n, k): integer sums, then one product of two scales for each; (m, n), float32.

    A GPU wants at least 17 rows on the left, and `k` and `n` divisible by 8.
    """
    import torch

    return torch._int_mm(left.values, right.values.T) * left.scales * right.scales.T


def quantize(model: Any) -> dict[str, Int8Linear]:
    """Every linear layer of the decoder in int8, by its name; the model stays as it is."""
    return {name: Int8Linear.of(linear) for name, linear in decoder_linears(model).items()}


def decompose(model: Any, layers: Mapping[str, Int8Linear], threshold: float) -> dict[str, Int8Linear]:
    """The same int8 weights, with outlier columns multiplied unquantized, as in the paper."""
    linears = decoder_linears(model)
    return {
        name: dataclasses.replace(layer, threshold=threshold, wide_weight=linears[name].weight.detach())
        for name, layer in layers.items()
    }


def decompose_stored(layers: Mapping[str, Int8Linear], threshold: float) -> dict[str, Int8Linear]:
    """The same, but the outlier columns' weights come out of int8, as in bitsandbytes."""
    return {name: dataclasses.replace(layer, threshold=threshold) for name, layer in layers.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """A model that computes with other layers than its own while it is called, and only then."""

    model: Any
    layers: Mapping[str, Int8Linear]

    @property
    def device(self) -> Any:
        """Where it computes."""
        return self.model.device

    def __call__(self, **inputs: Any) -> Any:
        """What the model returns."""
        linears = decoder_linears(self.model)
        try:
            for name, layer in self.layers.items():
                linears[name].forward = layer
            return self.model(**inputs)
        finally:
            for name in self.layers:
                vars(linears[name]).pop("forward", None)
