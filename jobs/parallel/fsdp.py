"""FSDP2: every layer's weights, gradients and optimizer state in shards, gathered when their turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.fit.memory import Precision, Recompute, States
from jobs.parallel.model import llama, next_token_loss
from jobs.parallel.settings import Device, Training


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
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        # Of its own, so that a checkpoint's messages and a step's cannot be taken for each other.
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
        """Bytes that this rank holds from step to step; a gradient is as large as its weight."""
        weights = sum(_local_bytes(weight) for weight in self.model.parameters())
        optimizer = sum(
            _local_bytes(value)
            for state in self.optimizer.state.values()
            for name, value in state.items()
            if name != "step"
        )
        return States(parameters=weights, gradients=weights, optimizer=optimizer)

    def save(self, folder: Path) -> Future[Any]:
        """Copy this rank's shards, and write the copy beside the next steps."""
        import torch.distributed.checkpoint as dcp

        written = dcp.async_save(self._state(), checkpoint_id=folder, process_group=self._group)
        return _with_errors(written)

    def load(self, folder: Path) -> None:
        """Read this rank's shards, whatever the number of ranks that wrote them."""
        import torch.distributed.checkpoint as dcp
        from torch.distributed.checkpoint.state_dict import set_state_dict

        state = self._state()
        dcp.load(state, checkpoint_id=folder, process_group=self._group)
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])

    def close(self) -> None:
        """Drop the model."""
        import torch.distributed as dist

        dist.destroy_process_group(self._group)
        del self.model, self.optimizer

    def _state(self) -> dict[str, Any]:
        from torch.distributed.checkpoint.state_dict import get_state_dict

        model, optimizer = get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer}


def loss_of_one_process(folder: Path, config: Training, tokens: Any) -> float:
    """The loss of a checkpoint's model in this process alone: what a world of another size makes of it."""
    import torch
    import torch.distributed.checkpoint as dcp

    model = llama(config.shape, config.seq_length, seed=config.seed + 1)
    state = {"model": model.state_dict()}
    dcp.load(state, checkpoint_id=folder, no_dist=True)
    model.load_state_dict(state["model"])
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


def _local_bytes(tensor: Any) -> int:
    local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return int(local.numel() * local.element_size())


def _with_errors(written: Future[Any]) -> Future[Any]:
    """The same, with an error that is an Exception: DCP's is none, and passes every `except` on its way."""
    future: Future[Any] = Future()

    def copy(done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(RuntimeError(str(error)))

    written.add_done_callback(copy)
    return future
