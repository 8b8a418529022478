"""How long a step takes under a strategy: computing, communication and offload, added up."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.catalog import Row
from clusterlab.fit.assumptions import (
    COMPUTE_SHARE,
    FLOAT32_SHARE,
    GPU_LINK_GB_PER_SECOND,
    HOST_MEMORY_GB_PER_SECOND,
    LINK_SHARE,
    NVME_GB_PER_SECOND,
    PCIE_GB_PER_SECOND,
)
from clusterlab.fit.memory import Precision, Recompute
from clusterlab.fit.strategies import Offload, Strategy, Training

GB = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Seconds of one step by what they go to, and the tokens of that step."""

    compute: float
    """The pipeline's idle time included."""
    communication: float
    offload: float
    tokens: int

    @property
    def seconds(self) -> float:
        """Of a step; nothing overlaps."""
        return self.compute + self.communication + self.offload

    @property
    def tokens_per_second(self) -> float:
        """Of all GPUs together."""
        return self.tokens / self.seconds


def speed(strategy: Strategy, training: Training, machine: Row, *, gpus_per_node: int) -> Speed | None:
    """The estimate; None where the accelerator's peak, its links or the machine's network are not known."""
    name, num_nodes = machine.accelerator, strategy.world_size // gpus_per_node
    known = name in GPU_LINK_GB_PER_SECOND and name in PCIE_GB_PER_SECOND
    if machine.accelerator_peak_tflops is None or not known or (num_nodes > 1 and machine.network_gbps is None):
        return None
    inside = GPU_LINK_GB_PER_SECOND[name] * GB * LINK_SHARE
    outside = float(machine.network_gbps or 0) / 8 * GB * LINK_SHARE
    replica_tokens = training.micro_batches * training.micro_batch_size * training.seq_length
    return Speed(
        compute=_compute(strategy, training, replica_tokens, peak=float(machine.accelerator_peak_tflops) * 1e12),
        communication=_data_parallel(strategy, training, inside, outside, gpus_per_node)
        + _model_parallel(strategy, training, replica_tokens, inside, outside, gpus_per_node),
        offload=_offload(strategy, training, PCIE_GB_PER_SECOND[name] * GB * LINK_SHARE, gpus_per_node),
        tokens=strategy.data_parallel * replica_tokens,
    )


def volume(zero_stage: int, micro_batches: int) -> int:
    """Values that a rank sends in a step, per parameter (arXiv:1910.02054, section 7).

    Stages 0 and 1 keep their gradients until the step's end; stage 2 has no room to, and scatters them after each
    micro-batch; stage 3 also gathers the weights for each forward and each backward pass.
    """
    return {0: 2, 1: 2, 2: micro_batches + 1, 3: 3 * micro_batches}[zero_stage]


def _compute(strategy: Strategy, training: Training, replica_tokens: int, *, peak: float) -> float:
    shape, seq_length = training.shape, training.seq_length
    flops = shape.flops_per_token(seq_length)
    # A forward pass is a third of both; of attention's 12*L*h*s it is 4.
    again = {
        Recompute.NONE: 0.0,
        Recompute.SELECTIVE: 4 * shape.num_layers * shape.hidden_size * seq_length,
        Recompute.FULL: flops / 3,
    }[strategy.recompute]
    share = COMPUTE_SHARE * (FLOAT32_SHARE if training.precision is Precision.FLOAT32 else 1)
    busy = replica_tokens * (flops + again) / (strategy.tensor_parallel * strategy.pipeline_parallel * peak * share)
    return busy * (1 + (strategy.pipeline_parallel - 1) / training.micro_batches)


def _data_parallel(strategy: Strategy, training: Training, inside: float, outside: float, gpus_per_node: int) -> float:
    """Seconds for gradients and weights, in a ring; the data-parallel groups of a machine share its network."""
    replicas = strategy.data_parallel
    if replicas == 1:
        return 0.0
    values = volume(strategy.zero_stage, training.micro_batches) * strategy.parameters_of_stage(training.shape)
    groups = min(strategy.tensor_parallel * strategy.pipeline_parallel, gpus_per_node)
    rate = inside if strategy.world_size == gpus_per_node else min(inside, outside / groups)
    return values * training.precision.value_bytes * (replicas - 1) / replicas / rate


def _model_parallel(
    strategy: Strategy, training: Training, replica_tokens: int, inside: float, outside: float, gpus_per_node: int
) -> float:
    """Seconds for activations: tensor parallelism reduces them four times a layer, six where all is computed again."""
    tensor, pipeline = strategy.tensor_parallel, strategy.pipeline_parallel
    token_bytes = training.shape.hidden_size * training.precision.value_bytes
    reductions = 6 if strategy.recompute is Recompute.FULL else 4
    layers = training.shape.num_layers / pipeline
    split = replica_tokens * token_bytes * layers * reductions * 2 * (tensor - 1) / tensor / inside
    between = inside if tensor * pipeline <= gpus_per_node else outside / tensor
    passed = 2 * replica_tokens * token_bytes / tensor / between if pipeline > 1 else 0.0
    return split + passed


def _offload(strategy: Strategy, training: Training, pcie: float, gpus_per_node: int) -> float:
    """Seconds for gradients down and weights up, for Adam on the host, and for the NVMe under it."""
    if strategy.offload is Offload.NONE:
        return 0.0
    precision, steps = training.precision, training.micro_batches
    share = training.shape.num_parameters / strategy.data_parallel
    value, states = precision.value_bytes, precision.optimizer_bytes
    moved = share * value * (steps + 1) / pcie
    adam = share * gpus_per_node * 2 * (states + value) / (HOST_MEMORY_GB_PER_SECOND * GB)
    if strategy.offload is Offload.CPU:
        return moved + adam
    # States and gradients are read and written once a step; weights are read for both passes of each micro-batch.
    touched = share * gpus_per_node * (2 * states + 2 * value + 2 * value * steps + value)
    return moved + adam + touched / (NVME_GB_PER_SECOND * GB)
