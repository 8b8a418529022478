"""What quantization does to the products of single layers, all fed by the unquantized model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeVar

from jobs.compress.int8 import Int8Linear, outlier_columns
from jobs.compress.layers import decoder_linears, watch

K = TypeVar("K", bound=str)


def matmul_errors(model: Any, forms: Mapping[K, Mapping[str, Int8Linear]], rows: Any) -> dict[K, dict[str, float]]:
    """For each form and layer the relative error |Y' - Y| / |Y| of its output, over rows of token ids.

    Errors do not add up from layer to layer here, as they do in the perplexity of a quantized model.
    """
    wrong: dict[tuple[K, str], float] = defaultdict(float)
    whole: dict[str, float] = defaultdict(float)

    def look(name: str, activations: Any, output: Any) -> None:
        whole[name] += output.float().square().sum().item()
        for form, layers in forms.items():
            wrong[form, name] += (layers[name](activations).float() - output.float()).square().sum().item()

    watch(model, decoder_linears(model), look, rows)
    return {form: {name: (wrong[form, name] / whole[name]) ** 0.5 for name in layers} for form, layers in forms.items()}


def share_of_columns(model: Any, threshold: float, rows: Any) -> float:
    """Columns of activations that reach the threshold somewhere in a row of tokens, as a share of all; layers' mean."""
    shares: list[float] = []

    def look(_: str, activations: Any, __: Any) -> None:
        shares.append(outlier_columns(activations, threshold).float().mean().item())

    watch(model, decoder_linears(model), look, rows)
    return sum(shares) / len(shares)
