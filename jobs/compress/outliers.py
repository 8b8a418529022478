"""Outlier features: find those that a model has, and plant some into a model that has none.

Models of 6.7 billion parameters and more have, after their norms, a few channels with magnitudes up to 20 times those
of the others, the same ones in most layers (Dettmers et al., 2022, arXiv:2208.07339, section 4). Small models do not.
"""

from __future__ import annotations

from typing import Any

from jobs.compress.layers import norm_groups, watch

SHARE_OF_LAYERS = 0.25
SHARE_OF_POSITIONS = 0.06
"""A channel is an outlier feature if it reaches the threshold in so many layers and at so many tokens: section 4."""


def plant(model: Any, channels: Any, magnitude: float) -> None:
    """Make the activations of some channels `magnitude` times as large after every norm, in place.

    The weights that read them become smaller by as much, so that the model computes the same. That is also how planted
    outliers differ from grown ones, whose weights are not small.
    """
    import torch

    factors = torch.ones(model.config.hidden_size, device=model.device)
    factors[channels] = magnitude
    for group in norm_groups(model):
        group.scale(factors)


def busiest_channels(model: Any, maxima: dict[str, Any], number: int) -> Any:
    """(number,): the channels that add most to the products after the norms; outliers of real models are such ones.

    What a channel adds is measured by its largest activation times the norm of its weights, as a share of its layer.
    """
    import torch

    total = torch.zeros(model.config.hidden_size, device=model.device)
    for group in norm_groups(model):
        adds = maxima[group.name] * torch.cat(group.weights).float().norm(dim=0)
        total += adds / adds.sum()
    return total.topk(number).indices.sort().values


def outlier_features(model: Any, rows: Any, threshold: float) -> list[int]:
    """The channels that are outlier features by the criteria of section 4, over rows of token ids (rows, length)."""
    import torch

    groups = norm_groups(model)
    hits = {group.name: torch.zeros(model.config.hidden_size, device=model.device) for group in groups}

    def look(name: str, _: Any, output: Any) -> None:
        hits[name] += (output.abs() >= threshold).flatten(0, -2).sum(dim=0)

    watch(model, {group.name: group.norm for group in groups}, look, rows)
    by_group = torch.stack(list(hits.values()))
    in_layers = (by_group > 0).float().mean(dim=0) >= SHARE_OF_LAYERS
    at_positions = by_group.mean(dim=0) / rows.numel() >= SHARE_OF_POSITIONS
    return [int(channel) for channel in torch.nonzero(in_layers & at_positions)]
