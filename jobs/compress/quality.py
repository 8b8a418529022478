"""How much a model changed: perplexity, and its distance to the model that it was made from.

A model is whatever is called as those of transformers are: `model(input_ids=rows).logits` has the shape
(rows, length, vocabulary).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

BATCH_TOKENS = 2048
"""Tokens of a forward pass, at least one row: the logits of a vocabulary of 50,000 then take 400 MB."""


def perplexity(model: Any, rows: Any) -> float:
    """Exponential of the mean cross-entropy over each row's tokens but the first, rows of (count, length) int64."""
    losses = row_losses(model, rows)
    return math.exp(sum(losses) / len(losses))


def row_losses(model: Any, rows: Any) -> list[float]:
    """The mean cross-entropy of each row over its tokens but the first, in nats; rows of (count, length) int64."""
    losses: list[float] = []
    for part, found in _with_log_probabilities(model, rows):
        losses += (-found[:, :-1].gather(2, part[:, 1:, None]).double().mean(dim=(1, 2))).tolist()
    return losses


def log_probabilities(model: Any, rows: Any) -> Iterator[Any]:
    """The logarithms of the probabilities after each token, row by row: (length, vocabulary), float32, on the CPU."""
    for _, found in _with_log_probabilities(model, rows):
        yield from found.cpu()


def save_log_probabilities(model: Any, rows: Any, folder: Path) -> None:
    """Write what `log_probabilities` yields, a file a row, so that nobody needs to hold more than one."""
    import numpy as np

    for index, row in enumerate(log_probabilities(model, rows)):
        np.save(folder / f"{index:05}.npy", row.numpy())


def load_log_probabilities(folder: Path) -> Iterator[Any]:
    """Read what `save_log_probabilities` wrote, in order."""
    import numpy as np
    import torch

    for path in sorted(folder.glob("*.npy")):
        yield torch.from_numpy(np.load(path))


def kl_divergence(model: Any, reference: Iterable[Any], rows: Any) -> float:
    """Mean over all tokens of KL(reference || model), in nats.

    `reference` has the log-probabilities of the model that is compared with, row by row, as `log_probabilities` yields
    them for the same rows, or more of them.
    """
    total, wanted = 0.0, iter(reference)
    for row in log_probabilities(model, rows):
        expected = next(wanted)
        total += (expected.exp() * (expected - row)).sum(dim=-1).double().sum().item()
    return float(total / rows.numel())


def logits_error(model: Any, reference: Any, rows: Any) -> float:
    """Root of the summed squares of the logits' differences to those of another model, over that of its logits."""
    difference, size = 0.0, 0.0
    for (_, found), (_, expected) in zip(_with_logits(model, rows), _with_logits(reference, rows), strict=True):
        difference += (found - expected).double().square().sum().item()
        size += expected.double().square().sum().item()
    return math.sqrt(difference / size)


def _with_log_probabilities(model: Any, rows: Any) -> Iterator[tuple[Any, Any]]:
    return ((part, logits.log_softmax(dim=-1)) for part, logits in _with_logits(model, rows))


def _with_logits(model: Any, rows: Any) -> Iterator[tuple[Any, Any]]:
    """Some rows with their logits in float32, on the device of the logits."""
    import torch

    for part in rows.split(max(1, BATCH_TOKENS // rows.shape[1])):
        with torch.inference_mode():
            logits = model(input_ids=part.to(getattr(model, "device", "cpu"))).logits.float()
        yield part.to(logits.device), logits
