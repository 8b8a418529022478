"""The training that every engine spreads over ranks, in one process: what their losses are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.run import METRICS
from jobs.launch.folder import report, run_folder
from jobs.llm.curve import read_losses
from jobs.parallel.model import llama, next_token_loss
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream, micro_batches

PHASE = "one process"
MAX_STEPS = 10
"""How many steps are compared."""

LossOf = Callable[[Any, Any], tuple[Any, Any]]
"""Of a model and token ids `[rows, length + 1]`: the loss that is told, and what is trained beside it."""


def loss_gap(
    config: Training,
    stream: Stream,
    phase: str,
    make: Callable[[Training], Any] | None = None,
    loss_of: LossOf | None = None,
) -> float:
    """At rank 0, when a phase is over: how far its first losses are, at most, from those of one process."""
    spread = read_losses(run_folder() / METRICS)[phase]
    steps = min(MAX_STEPS, config.steps)
    alone = losses_of_one_process(config, stream, steps, make, loss_of)
    for step, loss in alone.items():
        report(PHASE, step, len(alone), loss=loss)
    return max(abs(spread[step] - alone[step]) for step in alone)


def losses_of_one_process(
    config: Training,
    stream: Stream,
    steps: int,
    make: Callable[[Training], Any] | None = None,
    loss_of: LossOf | None = None,
) -> dict[int, float]:
    """Losses in nats a token by step, from 1 to `steps`, in float32 by torch's AdamW.

    `make` gives the model that is trained, a Llama if nothing else is said, and `loss_of` what of it.
    """
    import torch

    model, loss_of = (make or _llama)(config).to(str(config.device)), loss_of or _next_token
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    losses = {}
    for step in range(1, steps + 1):
        rows = [each.to(str(config.device)) for each in micro_batches(stream, config, step, rank=0, size=1)]
        losses[step] = 0.0
        for tokens in rows:
            loss, extra = loss_of(model, tokens)
            ((loss + extra) / len(rows)).backward()
            losses[step] += loss.item() / len(rows)
        optimizer.step()
        optimizer.zero_grad()
    return losses


def _llama(config: Training) -> Any:
    return llama(config.shape, config.seq_length, seed=config.seed)


def _next_token(model: Any, tokens: Any) -> tuple[Any, float]:
    return next_token_loss(model(tokens[:, :-1]).logits, tokens), 0.0
