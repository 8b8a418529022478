"""SmoothQuant: move the difficulty of outliers from activations into weights (Xiao et al., 2022, arXiv:2211.10438)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.compress.layers import norm_groups, watch

SMALLEST = 1e-5
"""A channel whose activations or weights are all zero is not divided by zero."""


def channel_maxima(model: Any, rows: Any) -> dict[str, Any]:
    """The largest magnitude of each channel after each norm, over rows of token ids (rows, length).

    Returns (hidden,), float32, by the norm's name.
    """
    import torch

    maxima: dict[str, Any] = {}

    def look(name: str, _: Any, output: Any) -> None:
        largest = output.abs().flatten(0, -2).amax(dim=0).float()
        maxima[name] = torch.maximum(maxima[name], largest) if name in maxima else largest

    watch(model, {group.name: group.norm for group in norm_groups(model)}, look, rows)
    return maxima


def smoothing_factors(activation_maxima: Any, weights: tuple[Any, ...], migration: float) -> Any:
    """s_j = max|X_j|^a / max|W_j|^(1 - a) of equation 4, for each channel j; (hidden,).

    `migration` is a: at 0 the weights become even, at 1 the activations do.
    """
    import torch

    weight_maxima = torch.stack([weight.float().abs().amax(dim=0) for weight in weights]).amax(dim=0)
    numerator = activation_maxima.clamp(min=SMALLEST) ** migration
    return numerator / weight_maxima.clamp(min=SMALLEST) ** (1 - migration)


def smooth(model: Any, maxima: Mapping[str, Any], migration: float) -> None:
    """Divide the channels after each norm by their factors and multiply the weights that read them, in place."""
    for group in norm_groups(model):
        group.scale(1 / smoothing_factors(maxima[group.name], group.weights, migration))
