"""Bytes per GPU, by formula: of the model's states (ZeRO) and of the activations (Korthikanti et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clusterlab.fit.shapes import Shape

ZERO_STAGES = (0, 1, 2, 3)
FLOAT32_BYTES = 4


class Precision(StrEnum):
    """In what numbers a model is trained with Adam."""

    MIXED = "mixed"
    """16-bit weights, gradients and activations; float32 master weights, momentum and variance: K = 12."""
    FLOAT32 = "float32"
    """float32 throughout; momentum and variance only, since the weights are their own master: K = 8."""

    @property
    def value_bytes(self) -> int:
        """Bytes of one weight, of one gradient, and of one value of the activations."""
        return 2 if self is Precision.MIXED else FLOAT32_BYTES

    @property
    def optimizer_bytes(self) -> int:
        """Bytes of optimizer state per parameter: the K of arXiv:1910.02054, section 3.1."""
        return 12 if self is Precision.MIXED else 8


class Recompute(StrEnum):
    """Which activations are computed again in the backward pass instead of kept."""

    NONE = "none"
    SELECTIVE = "selective"
    """The attention matrices only (arXiv:2205.05198, section 5)."""
    FULL = "full"
    """Everything but the input of each layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class States:
    """Bytes per rank of what a model keeps from step to step."""

    parameters: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """Their sum."""
        return self.parameters + self.gradients + self.optimizer


def model_states(num_parameters: int, *, zero_stage: int, world_size: int, precision: Precision) -> States:
    """Bytes per rank of weights, gradients and optimizer states under ZeRO (arXiv:1910.02054, section 5, figure 1).

    Stage 1 splits the optimizer's states over the ranks, stage 2 the gradients too, stage 3 the weights too; stage 0 is
    plain data parallelism, 2P + 2P + K*P in mixed precision. A share is rounded up to whole parameters, as on the
    fullest rank; a library's padding and buffers are not in it.

    Raises:
        ValueError: no such stage, or fewer than one rank.
    """
    if zero_stage not in ZERO_STAGES or world_size < 1:
        raise ValueError(f"zero_stage {zero_stage}, world_size {world_size}; allowed: stage 0 to 3, 1 rank or more")
    share = -(-num_parameters // world_size)
    return States(
        parameters=precision.value_bytes * (share if zero_stage >= 3 else num_parameters),
        gradients=precision.value_bytes * (share if zero_stage >= 2 else num_parameters),
        optimizer=precision.optimizer_bytes * (share if zero_stage >= 1 else num_parameters),
    )


def activations(
    shape: Shape,
    *,
    micro_batch_size: int,
    seq_length: int,
    recompute: Recompute = Recompute.NONE,
    tensor_parallel: int = 1,
    sequence_parallel: bool = False,
    bytes_per_value: int = 2,
    fused_attention: bool = False,
    num_layers: int | None = None,
    with_head: bool = True,
) -> int:
    """Bytes per GPU that one micro-batch of a Llama-type model keeps for the backward pass, at the peak.

    Korthikanti et al. (arXiv:2205.05198, section 4) without dropout and with Llama's layer. Per layer and token, in
    values: the inputs of the two norms, of the attention and of the MLP (4h); query, key, value and the attention's
    result (2h + 2k, k the width of the keys); gate, up, the gate's SiLU and the product (4f); and the attention's
    softmax (a*s) where it is kept. Tensor parallelism t splits all but the 4h, sequence parallelism these too.

    With `selective` the softmax is kept of one layer at a time, as it is computed again. With `full`, h per layer, and
    one layer's whole activations while it is computed again. `fused_attention` (FlashAttention) never has the softmax,
    only float32 statistics, one per head. Outside the layers: the inputs of the last norm and of the head (2h, as the
    paper's section 4.3), and the logits with their gradient in float32 (8 bytes times the vocabulary, split by t).

    Not counted: the norms' own statistics, temporary buffers of kernels, what an eager implementation keeps twice.
    `num_layers` and `with_head` are for a stage of a pipeline.
    """
    layers = shape.num_layers if num_layers is None else num_layers
    whole = 1 if not sequence_parallel else tensor_parallel
    hidden = shape.hidden_size
    split = 2 * hidden + 2 * shape.key_value_size + 4 * shape.intermediate_size
    layer = bytes_per_value * (4 * hidden / whole + split / tensor_parallel)
    if fused_attention:
        layer += FLOAT32_BYTES * shape.num_attention_heads / tensor_parallel
        softmax = 0.0
    else:
        softmax = bytes_per_value * shape.num_attention_heads * seq_length / tensor_parallel
    kept = {
        Recompute.NONE: layers * (layer + softmax),
        Recompute.SELECTIVE: layers * layer + softmax,
        Recompute.FULL: layers * bytes_per_value * hidden / whole + layer + softmax,
    }[recompute]
    head = 2 * bytes_per_value * hidden / whole + 2 * FLOAT32_BYTES * shape.vocab_size / tensor_parallel
    return round(micro_batch_size * seq_length * (kept + (head if with_head else 0)))
