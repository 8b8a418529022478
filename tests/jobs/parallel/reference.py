"""The training that every engine must agree with: one process, and nothing of ours but the model and the rows."""

from __future__ import annotations

import torch

from jobs.parallel.model import llama, next_token_loss
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream

TOLERANCE = 2e-5
"""Of a loss in nats: float32 sums in another order."""


def losses_of_one_process(config: Training) -> dict[int, float]:
    """The loss of each step, without any of our engines, loops or ranks."""
    model = llama(config.shape, config.seq_length, seed=config.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    stream, losses = Stream.of(config), {}
    for step in range(1, config.steps + 1):
        rows = stream.rows((step - 1) * config.global_batch_size, config.global_batch_size)
        loss = next_token_loss(model(rows[:, :-1]).logits, rows)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses[step] = loss.item()
    return losses
