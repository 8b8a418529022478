"""megatron-core: matrices cut over ranks, layers in stages, rows in pieces, copies of all that in data parallel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.fit.memory import Precision
from jobs.parallel.layout import Layout
from jobs.parallel.megatron_cpu import on_device
from jobs.parallel.megatron_model import Options, gpt_model
from jobs.parallel.settings import Device, Training

METADATA = {
    "distrib_optim_sharding_type": "fully_reshardable",
    "distrib_optim_fully_reshardable_mem_efficient": False,
}
"""How a distributed optimizer is saved: by parameter, so that another layout can read it."""


class Megatron:
    """An `Engine` by megatron-core, over all ranks of the process group."""

    def __init__(self, config: Training, options: Options) -> None:
        import torch.distributed as dist

        options.layout.check_world(dist.get_world_size())
        # One queue to the GPU: messages then begin before the products that are to hide them.
        os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")
        self.config, self.options = config, options
        with on_device(config.device):
            from megatron.core import parallel_state

            _split_ranks(options.layout, config.seed)
            self.data_rank = int(parallel_state.get_data_parallel_rank())
            self.data_size = int(parallel_state.get_data_parallel_world_size())
            self.model = gpt_model(config, options)
            self.num_parameters = sum(each.numel() for each in self.model.parameters())
            self._chunk = _data_parallel(self.model, options)
            self._optimizer = _optimizer(self._chunk, config, options)

    def train_step(self, micro_batches: Sequence[Any]) -> Any | None:
        """By megatron-core's schedule for the layout; None at a rank that is not of the last stage."""
        with on_device(self.config.device):
            self._chunk.zero_grad_buffer()
            self._optimizer.zero_grad()
            loss = self._run(micro_batches)
            self._optimizer.step()
        return loss

    def save(self, folder: Path) -> None:
        """Write by `dist_checkpointing`, every rank its part, before the next step.

        Its asynchronous save ends in messages between the ranks, in which those of the next step would get mixed.
        """
        from megatron.core import dist_checkpointing

        with on_device(self.config.device):
            dist_checkpointing.save(self._state(), str(folder))

    def load(self, folder: Path) -> None:
        """Read what `save` wrote, also with another layout.

        Raises:
            InputError: the checkpoint is on another node's disk.
        """
        from megatron.core import dist_checkpointing

        if not (folder / "metadata.json").is_file():
            message = "not all of it is here; ranks on several nodes need a run's folder that they share"
            raise InputError(Problem(path=str(folder), message=message))
        with on_device(self.config.device):
            state = dist_checkpointing.load(self._state(is_loading=True), str(folder))
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])

    def close(self) -> None:
        """Drop the model, and megatron-core's process groups."""
        from megatron.core import parallel_state

        del self.model, self._chunk, self._optimizer
        parallel_state.destroy_model_parallel()

    def _run(self, micro_batches: Sequence[Any]) -> Any | None:
        import torch
        from megatron.core.pipeline_parallel.schedules import get_forward_backward_func

        losses = get_forward_backward_func()(
            forward_step_func=_forward_step(self.config.device, self.options.layout.context_parallel),
            data_iterator=iter(micro_batches),
            model=[self._chunk],
            num_microbatches=len(micro_batches),
            seq_length=self.config.seq_length,
            micro_batch_size=len(micro_batches[0]),
            forward_only=False,
        )
        return torch.stack(losses).mean() if losses else None

    def _state(self, *, is_loading: bool = False) -> dict[str, Any]:
        model = self.model.sharded_state_dict(metadata=METADATA)
        return {
            "model": model,
            "optimizer": self._optimizer.sharded_state_dict(model, is_loading=is_loading, metadata=METADATA),
        }


def _split_ranks(layout: Layout, seed: int) -> None:
    """Make megatron-core's process groups, and the random state that it asks for although nothing here is random."""
    import torch.distributed as dist
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=layout.tensor_parallel,
        pipeline_model_parallel_size=layout.pipeline_parallel,
        context_parallel_size=layout.context_parallel,
    )
    # Without CUDA there is no state to keep; there its tracker of inference keeps none.
    without_state = dist.get_backend() != "nccl"
    model_parallel_cuda_manual_seed(seed, inference_rng_tracker=without_state, force_reset_rng=True)


def _data_parallel(model: Any, options: Options) -> Any:
    from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig

    settings = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True, use_distributed_optimizer=options.distributed_optimizer
    )
    return DistributedDataParallel(model.config, settings, model)


def _optimizer(chunk: Any, config: Training, options: Options) -> Any:
    """AdamW by torch's defaults, as the other engines have it."""
    import torch
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer

    mixed = options.precision is Precision.MIXED
    settings = OptimizerConfig(
        optimizer="adam",
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_eps=1e-8,
        clip_grad=0.0,
        bf16=mixed,
        params_dtype=torch.bfloat16 if mixed else torch.float32,
        use_distributed_optimizer=options.distributed_optimizer,
    )
    # None would mark the norms for its scheduler as not to be decayed; the other engines decay all weights.
    return get_megatron_optimizer(settings, [chunk], config_overrides={})


def _forward_step(device: Device, context_parallel: int) -> Callable[[Iterator[Any], Any], tuple[Any, Any]]:
    """What megatron-core's schedules call for each micro-batch: the output, and what makes the loss of it."""
    import torch
    from megatron.core import parallel_state

    def loss(by_token: Any) -> tuple[Any, Any]:
        mean = by_token.float().mean()
        # The schedules multiply by the context parallel size, since they take the first for a part of a sum, and
        # divide it in place.
        return mean / context_parallel, mean.detach().clone()

    def step(batches: Iterator[Any], model: Any) -> tuple[Any, Any]:
        tokens = next(batches).to(torch.device(device))
        places = torch.arange(tokens.shape[1] - 1, device=tokens.device).expand(len(tokens), -1)
        cut = (tokens[:, :-1], places, tokens[:, 1:])
        rank = parallel_state.get_context_parallel_rank()
        inputs, positions, labels = (context_part(each, rank, context_parallel) for each in cut)
        return model(inputs, positions, None, labels=labels), loss

    return step


def context_part(rows: Any, rank: int, size: int) -> Any:
    """A context parallel rank's tokens of rows `[rows, length]`: one piece from the front, and one as far from the end.

    Later tokens attend to more, so that pairs of pieces cost the same.
    """
    import torch

    if size == 1:
        return rows.contiguous()
    pieces = rows.chunk(2 * size, dim=1)
    return torch.cat([pieces[rank], pieces[-1 - rank]], dim=1)
