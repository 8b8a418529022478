"""FSDP2: every layer's weights, gradients and optimizer state in shards, gathered when their turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.fit.memory import Precision, Recompute, States
from jobs.parallel.model import adamw, llama, next_token_loss
from jobs.parallel.settings import Device, Training
from jobs.parallel.state import load_state, load_weights, save_state, states_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How FSDP2 holds the model."""

    precision: Precision
    recompute: Recompute
    cpu_offload: bool
    compile: bool


class FullySharded:
    """An `Engine` by `torch.distributed.fsdp.fully_shard`, over all ranks of the process group."""

    def __init__(self, config: Training, options: Options) -> None:
        import torch
        import torch.distributed as dist

        self.data_rank, self.data_size = int(dist.get_rank()), int(dist.get_world_size())
        self.device = torch.device(config.device)
        self.model = llama(config.shape, config.seq_length, seed=config.seed, recompute=options.recompute)
        _shard(self.model, self.device, options)
        self.optimizer = adamw(self.model, learning_rate=config.learning_rate, weight_decay=config.weight_decay)
        self._group = dist.new_group(backend="gloo")

    def train_step(self, micro_batches: Sequence[Any]) -> Any:
        """Each micro-batch's gradients are summed over the ranks as they come, so that none are ever held whole."""
        import torch

        total = torch.zeros((), device=self.device)
        for tokens in micro_batches:
            loss = self.loss(tokens) / len(micro_batches)
            loss.backward()
            total += loss.detach()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def loss(self, tokens: Any) -> Any:
        """Mean loss in nats a token of token ids `[rows, length + 1]`, with its graph."""
        tokens = tokens.to(self.device)
        return next_token_loss(self.model(tokens[:, :-1]).logits, tokens)

    def states(self) -> States:
        """Bytes that this rank holds from step to step."""
        return states_of(self.model, self.optimizer)

    def save(self, folder: Path) -> Future[Any]:
        """Write this rank's shards, beside the next steps."""
        return save_state(self.model, self.optimizer, folder, self._group)

    def load(self, folder: Path) -> None:
        """Read this rank's shards, whatever the number of ranks that wrote them."""
        load_state(self.model, self.optimizer, folder, self._group)

    def close(self) -> None:
        """Drop the model."""
        import torch.distributed as dist

        dist.destroy_process_group(self._group)
        del self.model, self.optimizer


def loss_of_one_process(folder: Path, config: Training, tokens: Any) -> float:
    """The loss of a checkpoint's model in this process alone, on its CPU: what a world of another size makes of it."""
    import torch

    model = llama(config.shape, config.seq_length, seed=config.seed + 1)
    load_weights(model, folder)
    with torch.no_grad():
        return float(next_token_loss(model(tokens[:, :-1]).logits, tokens))


def _shard(model: Any, device: Any, options: Options) -> None:
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard

    given: dict[str, Any] = {"mesh": init_device_mesh(device.type, (dist.get_world_size(),))}
    if options.precision is Precision.MIXED:
        given["mp_policy"] = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    pinned = device.type == Device.CUDA
    given["offload_policy"] = CPUOffloadPolicy(pin_memory=pinned) if options.cpu_offload else OffloadPolicy()
    for layer in model.model.layers:
        if options.compile:
            layer.compile()
        fully_shard(layer, **given)
    fully_shard(model, **given)
