"""Plain data parallelism: the whole model on every rank, gradients averaged, by `DistributedDataParallel`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from clusterlab.fit.memory import Precision, Recompute, States
from jobs.parallel.model import adamw, llama, next_token_loss
from jobs.parallel.settings import Training
from jobs.parallel.state import load_state, save_state, states_of


class Whole:
    """An `Engine` that splits the batch and nothing else."""

    def __init__(
        self,
        config: Training,
        *,
        precision: Precision = Precision.FLOAT32,
        recompute: Recompute = Recompute.NONE,
        attention: str = "sdpa",
    ) -> None:
        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        self.data_rank, self.data_size = int(dist.get_rank()), int(dist.get_world_size())
        self.device = torch.device(config.device)
        self.model = llama(
            config.shape, config.seq_length, seed=config.seed, recompute=recompute, attention=attention
        ).to(self.device)
        self.optimizer = adamw(self.model, learning_rate=config.learning_rate, weight_decay=config.weight_decay)
        self._replica = DistributedDataParallel(self.model) if self.data_size > 1 else self.model
        self._mixed = precision is Precision.MIXED
        self._group = dist.new_group(backend="gloo")

    def train_step(self, micro_batches: Sequence[Any]) -> Any:
        """Gradients are added up here, and averaged over the ranks once a step."""
        import torch

        total = torch.zeros((), device=self.device)
        for number, tokens in enumerate(micro_batches, start=1):
            alone = self.data_size == 1 or number == len(micro_batches)
            with nullcontext() if alone else self._replica.no_sync():
                loss = self.loss(tokens) / len(micro_batches)
                loss.backward()
            total += loss.detach()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def loss(self, tokens: Any) -> Any:
        """Mean loss in nats a token of token ids `[rows, length + 1]`, with its graph."""
        import torch

        tokens = tokens.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed):
            logits = self._replica(tokens[:, :-1]).logits
        return next_token_loss(logits, tokens)

    def states(self) -> States:
        """Bytes that every rank holds from step to step."""
        return states_of(self.model, self.optimizer)

    def save(self, folder: Path) -> Future[Any]:
        """Write it once, beside the next steps."""
        return save_state(self.model, self.optimizer, folder, self._group)

    def load(self, folder: Path) -> None:
        """Read it, whatever the number of ranks that wrote it."""
        load_state(self.model, self.optimizer, folder, self._group)

    def close(self) -> None:
        """Drop the model."""
        import torch.distributed as dist

        dist.destroy_process_group(self._group)
        del self._replica, self.model, self.optimizer
