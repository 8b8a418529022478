"""ZeRO by DeepSpeed: each stage splits one part more of the states over the ranks; a host or disk may hold the rest."""

from __future__ import annotations

import gc
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.fit.memory import Precision, Recompute, States, model_states
from jobs.llm.cache import DEFAULT as CACHE
from jobs.llm.cache import VARIABLE as CACHE_VARIABLE
from jobs.parallel.model import llama, next_token_loss
from jobs.parallel.settings import Device, Training
from jobs.parallel.zero_files import Writer, universal

TAG = "zero"
WRITERS = "writers.json"
"""Beside the shards: how many ranks wrote them."""
MAX_BUCKET = 2**24
"""Values that are reduced or gathered by one message, at most: 32 MiB of bfloat16, which stage 3 keeps allocated."""


class Offload(StrEnum):
    """Where the states go that the accelerator need not hold; of the optimizer, and at stage 3 of the weights too."""

    NONE = "none"
    CPU = "cpu"
    """The host's memory."""
    NVME = "nvme"
    """A disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How DeepSpeed holds the model."""

    stage: int
    precision: Precision
    recompute: Recompute
    offload: Offload = Offload.NONE
    swap: Path | None = None
    """The folder on the disk, with `Offload.NVME`."""


class Zero:
    """An `Engine` by `deepspeed.initialize`, over all ranks of the process group."""

    def __init__(self, config: Training, options: Options) -> None:
        import torch
        import torch.distributed as dist

        deepspeed = quiet_deepspeed(config.device)
        self.data_rank, self.data_size = int(dist.get_rank()), int(dist.get_world_size())
        self.device = torch.device(config.device)
        self._options, self._gradients = options, 0
        self._num_micro_batches = num_micro_batches(config, self.data_size)
        model = llama(config.shape, config.seq_length, seed=config.seed, recompute=options.recompute)
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        settings = deepspeed_config(config, options, self._num_micro_batches)
        self._linear = torch.nn.functional.linear
        self.engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
        self._writer = Writer()
        self.engine.checkpoint_engine.save = self._writer.save

    def train_step(self, micro_batches: Sequence[Any]) -> Any:
        """As many micro-batches as DeepSpeed was told to add up; the optimizer steps after the last."""
        import torch

        total = torch.zeros((), device=self.device)
        for number, tokens in enumerate(micro_batches, start=1):
            loss = self.loss(tokens)
            self.engine.backward(loss)
            if number < self._num_micro_batches and not self._gradients:
                self._gradients = _num_bytes(self._gradient_tensors(), set())
            self.engine.step()
            total += loss.detach() / len(micro_batches)
        return total

    def loss(self, tokens: Any) -> Any:
        """Mean loss in nats a token of token ids `[rows, length + 1]`, with its graph."""
        tokens = tokens.to(self.device)
        return next_token_loss(self.engine(tokens[:, :-1]).logits, tokens)

    @property
    def has_stepped(self) -> bool:
        """Whether `states` knows the gradients."""
        return self._gradients > 0

    def states(self) -> States:
        """Bytes that this rank holds in tensors of the engine, each storage counted once, after one step at least.

        Gradients are those that it held between two micro-batches of its first step, the time when all must be kept.
        """
        seen: set[int] = set()
        parameters = _num_bytes(self._parameter_tensors(), seen)
        return States(
            parameters=parameters, gradients=self._gradients, optimizer=_num_bytes(self._optimizer_tensors(), seen)
        )

    def _parameter_tensors(self) -> Iterator[Any]:
        for weight in self.engine.module.parameters():
            yield weight.data
            yield getattr(weight, "ds_tensor", None)
        yield from getattr(self.engine.optimizer, "bit16_groups_flat", [])

    def _optimizer_tensors(self) -> Iterator[Any]:
        """The float32 master weights, where there are any, and what AdamW keeps of them."""
        yield from self._optimizer_weights()
        for state in self.engine.basic_optimizer.state.values():
            yield from (value for name, value in state.items() if name != "step")

    def _gradient_tensors(self) -> Iterator[Any]:
        for weight in self.engine.module.parameters():
            yield weight.grad
            yield getattr(weight, "grad_accum", None)
        yield from (weight.grad for weight in self._optimizer_weights())
        optimizer = self.engine.optimizer
        yield getattr(optimizer, "grad_partitions_flat_buffer", None)
        for name in ("all_grad_tensors", "averaged_gradients"):
            for tensors in getattr(optimizer, name, {}).values():
                yield from tensors or []
        yield from getattr(optimizer, "accumulated_grads_in_cpu", {}).values()

    def _optimizer_weights(self) -> Iterator[Any]:
        """What AdamW updates: the model's own weights at stage 0 in float32, else this rank's flat parts."""
        for group in self.engine.basic_optimizer.param_groups:
            yield from group["params"]
        # Stage 3 shows them to AdamW only while it steps.
        yield from getattr(self.engine.optimizer, "fp32_partitioned_groups_flat", [])

    def save(self, folder: Path) -> Future[None]:
        """DeepSpeed's own files: copied now, and written beside the next steps."""
        if self.data_rank == 0:
            (folder / WRITERS).write_text(json.dumps({"ranks": self.data_size}))
        self.engine.save_checkpoint(str(folder), tag=TAG, save_latest=False)
        return self._writer.all_written()

    def load(self, folder: Path) -> None:
        """Read this rank's part, or where other numbers of ranks wrote it, its part of the whole."""
        writers = json.loads((folder / WRITERS).read_text())["ranks"]
        if self._options.stage == 0 or writers == self.data_size:
            self.engine.load_checkpoint(str(folder), tag=TAG)
            return
        with universal(folder, TAG) as (whole, tag):
            self.engine._config.load_universal_checkpoint = True
            self.engine.load_checkpoint(str(whole), tag=tag)
            self.engine._config.load_universal_checkpoint = False

    def close(self) -> None:
        """Drop the model, and what it swapped out."""
        import torch

        self._writer.close()
        self.engine.destroy()
        del self.engine
        # Stage 3 puts a linear of its own in the place of torch's, for every model of the process.
        torch.nn.functional.linear = self._linear
        gc.collect()  # Its hooks point at each other.
        if self._options.swap:
            shutil.rmtree(self._options.swap, ignore_errors=True)


def num_micro_batches(config: Training, world_size: int) -> int:
    """How many micro-batches each rank adds up in a step.

    Raises:
        InputError: one: then no gradients are ever kept, and none can be measured.
    """
    number = config.global_batch_size // (config.micro_batch_size * world_size)
    if number < 2:
        message = (
            f"must be at least {2 * config.micro_batch_size * world_size}, two micro-batches for each of {world_size}"
            " ranks: gradients are measured between them"
        )
        raise InputError(Problem(path=f"GLOBAL_BATCH_SIZE={config.global_batch_size}", message=message))
    return number


def predicted(num_parameters: int, options: Options, world_size: int) -> States:
    """The paper's formulas, with what DeepSpeed keeps otherwise.

    From stage 1 on it has a float32 master copy also of float32 weights (K = 12). With offload it adds gradients up on
    the host and has a float32 copy of them there for the optimizer; on a disk the optimizer takes no memory.
    """
    given: dict[str, Any] = {"zero_stage": options.stage, "world_size": world_size}
    paper = model_states(num_parameters, precision=options.precision, **given)
    mixed = model_states(num_parameters, precision=Precision.MIXED, **given)
    float32 = model_states(num_parameters, precision=Precision.FLOAT32, **given)
    on_host = options.offload is Offload.CPU
    optimizer = mixed.optimizer if options.stage else paper.optimizer
    return States(
        parameters=paper.parameters,
        gradients=paper.gradients + (float32.gradients if on_host else 0),
        optimizer=0 if options.offload is Offload.NVME else optimizer,
    )


def bucket_size(config: Training) -> int:
    """Values in a message; no more than the model has."""
    return min(MAX_BUCKET, config.shape.num_parameters)


def deepspeed_config(config: Training, options: Options, num_micro_batches: int) -> dict[str, Any]:
    """What DeepSpeed is told; its other values stay as it has them."""
    bucket = bucket_size(config)
    zero: dict[str, Any] = {
        "stage": options.stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
        # CPU tensors are ready when a call returns: nothing can overlap.
        "overlap_comm": config.device is Device.CUDA,
    }
    if options.stage == 3:
        # Else every weight below 100,000 values stays whole on every rank.
        zero |= {"stage3_param_persistence_threshold": 0, "stage3_prefetch_bucket_size": bucket}
    place: dict[str, Any] = {"device": options.offload.value, "pin_memory": config.device is Device.CUDA}
    if options.offload is Offload.NVME:
        place["nvme_path"] = str(options.swap)
    if options.offload is not Offload.NONE:
        zero |= {"offload_optimizer": place} | ({"offload_param": place} if options.stage == 3 else {})
    return {
        "train_micro_batch_size_per_gpu": config.micro_batch_size,
        "gradient_accumulation_steps": num_micro_batches,
        "bf16": {"enabled": options.precision is Precision.MIXED},
        "zero_optimization": zero,
        # torch's AdamW everywhere: DeepSpeed's own need a compiler on the node.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        # It would clip to a norm of 1 if it were not told.
        "gradient_clipping": 0.0,
        "steps_per_print": 2**31,
    }


def quiet_deepspeed(device: Device) -> Any:
    """The module, which then tells warnings only and builds no operation that it was not asked for."""
    import logging

    cache = Path(os.environ.get(CACHE_VARIABLE, CACHE)).resolve()
    os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(cache / "torch-extensions"))
    os.environ.setdefault("TRITON_CACHE_DIR", str(cache / "triton"))
    os.environ.setdefault("DS_ACCELERATOR", device.value)
    os.environ.setdefault("LOCAL_RANK", "0")  # Ray lets a worker see one GPU.
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    renamed = "`torch.distributed.(all_gather_into_tensor|reduce_scatter_tensor)` is deprecated"
    warnings.filterwarnings("ignore", renamed, FutureWarning)
    # On a CPU it would compile an all-reduce of its own at the start; gloo does without a compiler.
    deepspeed.ops.__compatible_ops__ = {}
    return deepspeed


def why_no_swapping(device: Device) -> str | None:
    """What is missing on any node to build DeepSpeed's I/O to a disk, and how to get it; all ranks at once."""
    import torch.distributed as dist

    quiet_deepspeed(device)
    from deepspeed.accelerator import get_accelerator

    wanted = [shutil.which(name) for name in (os.environ.get("CXX", "c++"), "ninja")]
    able = all(wanted) and get_accelerator().create_op_builder("AsyncIOBuilder").is_compatible()
    found: list[bool] = [False] * dist.get_world_size()
    dist.all_gather_object(found, able)
    return None if all(found) else "no libaio, compiler or ninja; apt-get install libaio-dev g++ ninja-build"


def _num_bytes(tensors: Iterator[Any], seen: set[int]) -> int:
    """Bytes of the storages below tensors that are not in `seen` yet; it has them then."""
    total = 0
    for tensor in tensors:
        if tensor is None:
            continue
        storage = tensor.untyped_storage()
        if storage.nbytes() and storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total += storage.nbytes()
    return total
