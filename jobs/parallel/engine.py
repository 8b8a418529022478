"""What a way to spread a model over ranks must do, so that one loop and one kind of checkpoint serve all of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol


class Engine(Protocol):
    """A model in training; every rank of the process group has one, and calls each method at the same time."""

    data_rank: int
    """Which part of a global batch this rank computes; ranks that hold one model in pieces compute the same."""
    data_size: int
    """How many parts there are."""

    def train_step(self, micro_batches: Sequence[Any]) -> Any | None:
        """Forward, backward and one optimizer step.

        Takes token ids, each `[micro_batch_size, seq_length + 1]`. Returns their mean loss in nats a token as a
        detached float32 scalar, or None at a rank that sees no loss, such as an early pipeline stage.
        """

    def save(self, folder: Path) -> Future[Any] | None:
        """Write this rank's part of weights and optimizer below a folder that all ranks share or each node has.

        Returns what tells that it is written, if that goes on while the next steps are computed; else None.

        Raises:
            OSError, RuntimeError: it cannot be written.
        """

    def load(self, folder: Path) -> None:
        """Go on from what `save` wrote, also by another number of ranks where the engine can."""

    def close(self) -> None:
        """Free what it holds, so that another engine can have the memory and the process group."""
