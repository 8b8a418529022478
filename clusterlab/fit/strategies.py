"""The ways to split a training over GPUs, and what each takes of a GPU and of its host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from clusterlab.fit.assumptions import GATHERED_LAYERS, GRADIENT_BUCKET, MICRO_BATCHES, NVME_BUFFER_BYTES
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import Precision, Recompute, activations, model_states
from clusterlab.fit.shapes import Shape

TENSOR_PARALLEL = (2, 4, 8)
PIPELINE_PARALLEL = (1, 2, 4, 8)


class Offload(StrEnum):
    """Where gradients and optimizer states are kept; on NVMe the weights too."""

    NONE = "none"
    CPU = "cpu"
    NVME = "nvme"


OFFLOADS = ((2, Offload.CPU), (3, Offload.CPU), (3, Offload.NVME))
OFFLOADS_OF_ONE = ((2, Offload.CPU), (3, Offload.NVME))
"""On one GPU stage 3 has nothing to split, and is stage 2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """What is trained, whatever the strategy."""

    shape: Shape
    seq_length: int
    micro_batch_size: int = 1
    micro_batches: int = MICRO_BATCHES
    """Per step of the optimizer, of each data-parallel replica."""
    precision: Precision = Precision.MIXED


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One way to split a training: world size = data * tensor * pipeline."""

    zero_stage: int
    data_parallel: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    offload: Offload = Offload.NONE
    recompute: Recompute = Recompute.NONE

    @property
    def world_size(self) -> int:
        """How many GPUs."""
        return self.data_parallel * self.tensor_parallel * self.pipeline_parallel

    @property
    def name(self) -> str:
        """As the terminal shows it, without the recomputation."""
        if self.tensor_parallel > 1:
            sizes = {"tp": self.tensor_parallel, "pp": self.pipeline_parallel, "dp": self.data_parallel}
            return " ".join(f"{name}-{size}" for name, size in sizes.items() if size > 1)
        name = ("ddp", "zero-1", "zero-2", "zero-3/fsdp")[self.zero_stage]
        return name if self.offload is Offload.NONE else f"zero-{self.zero_stage} +{self.offload}"

    def footprint(self, training: Training) -> Footprint:
        """Bytes of the fullest GPU, and of the host for it."""
        num_parameters = self.parameters_of_stage(training.shape)
        precision = training.precision
        states = model_states(
            num_parameters, zero_stage=self.zero_stage, world_size=self.data_parallel, precision=precision
        )
        offloaded, on_nvme = self.offload is not Offload.NONE, self.offload is Offload.NVME
        host = NVME_BUFFER_BYTES if on_nvme else states.gradients + states.optimizer if offloaded else 0
        return Footprint(
            weights=0 if on_nvme else states.parameters,
            gradients=0 if offloaded else states.gradients,
            optimizer=0 if offloaded else states.optimizer,
            activations=self._activations(training),
            buffers=self._buffered(training.shape) * precision.value_bytes,
            host=host,
        )

    def parameters_of_stage(self, shape: Shape) -> int:
        """Parameters of one GPU before ZeRO: its slice of the fullest stage, the one with the head; norms are whole."""
        layers = shape.num_layers // self.pipeline_parallel
        norms = (2 * layers + 1) * shape.hidden_size
        ends = 1 if shape.tied or self.pipeline_parallel > 1 else 2
        matrices = layers * (shape.parameters_per_layer - 2 * shape.hidden_size) + ends * shape.embedding_parameters
        return -(-matrices // self.tensor_parallel) + norms

    def _activations(self, training: Training) -> int:
        """Of the fullest stage: the first keeps as many micro-batches as there are stages, the last has the head."""
        layers = training.shape.num_layers // self.pipeline_parallel
        in_flight = min(self.pipeline_parallel, training.micro_batches)
        stages = ((layers, True),) if self.pipeline_parallel == 1 else ((layers * in_flight, False), (layers, True))
        return max(
            activations(
                training.shape,
                micro_batch_size=training.micro_batch_size,
                seq_length=training.seq_length,
                recompute=self.recompute,
                tensor_parallel=self.tensor_parallel,
                sequence_parallel=self.tensor_parallel > 1,
                bytes_per_value=training.precision.value_bytes,
                num_layers=num_layers,
                with_head=with_head,
            )
            for num_layers, with_head in stages
        )

    def _buffered(self, shape: Shape) -> int:
        """Values in the buffers of the libraries."""
        if self.data_parallel == 1 and self.offload is Offload.NONE:
            return 0
        if self.zero_stage == 3:
            largest = max(shape.parameters_per_layer, shape.embedding_parameters)
            # The gradient of the layer at work is whole too, until it is reduced.
            return (GATHERED_LAYERS + 1) * largest
        return min(GRADIENT_BUCKET, self.parameters_of_stage(shape)) if self.zero_stage in (1, 2) else 0


def strategies(shape: Shape, *, num_gpus: int, gpus_per_node: int) -> Iterator[Strategy]:
    """Every strategy for so many GPUs, with each recomputation; tensor parallelism stays inside a machine."""
    for recompute in Recompute:
        for zero_stage in range(4 if num_gpus > 1 else 1):
            yield Strategy(zero_stage=zero_stage, data_parallel=num_gpus, recompute=recompute)
        for zero_stage, offload in OFFLOADS if num_gpus > 1 else OFFLOADS_OF_ONE:
            yield Strategy(zero_stage=zero_stage, data_parallel=num_gpus, offload=offload, recompute=recompute)
        for tensor, pipeline in _model_parallel(shape, num_gpus=num_gpus, gpus_per_node=gpus_per_node):
            yield Strategy(
                zero_stage=1,
                data_parallel=num_gpus // (tensor * pipeline),
                tensor_parallel=tensor,
                pipeline_parallel=pipeline,
                recompute=recompute,
            )


def _model_parallel(shape: Shape, *, num_gpus: int, gpus_per_node: int) -> Iterator[tuple[int, int]]:
    """Tensor times pipeline sizes that divide the GPUs of a machine, the heads and the layers."""
    for tensor in TENSOR_PARALLEL:
        for pipeline in PIPELINE_PARALLEL:
            divides = gpus_per_node % tensor == 0 and num_gpus % (tensor * pipeline) == 0
            heads = shape.num_attention_heads % tensor == 0 and shape.num_key_value_heads % tensor == 0
            if divides and heads and shape.num_layers % pipeline == 0:
                yield tensor, pipeline
