"""How near losses must be that differ only in where their numbers live, and the losses of one process."""

from __future__ import annotations

from jobs.parallel import one_process
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream

TOLERANCE = 2e-5
"""Of a loss in nats, over the first steps: float32 sums in another order."""


def losses_of_one_process(config: Training) -> dict[int, float]:
    """The loss of each step, without any of our engines, loops or ranks."""
    return one_process.losses_of_one_process(config, Stream.of(config), config.steps)
