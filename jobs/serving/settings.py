"""How a model is served, in one vocabulary for every engine."""

from __future__ import annotations

from dataclasses import dataclass

DRAIN_SECONDS = 30
"""How long a server that is told to end may take for the answers that it has begun."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """One server. An engine that cannot do what is asked refuses it, and never serves something else.

    What changes no answer, only time and memory, goes without saying: engines without a prefix cache, chunked prefill,
    compilation or a share of memory set aside take those values as they come.
    """

    model: str
    """A folder that `from_pretrained` loads."""
    served_name: str
    """What clients call the model."""
    dtype: str = "auto"
    """`auto` is that of the checkpoint."""
    quantization: str | None = None
    """None is what the checkpoint's own config says."""
    tensor_parallel: int = 1
    """GPUs of a node that each matrix is split over."""
    pipeline_parallel: int = 1
    """Groups of layers, one after the other; more than a node has GPUs for go over nodes."""
    max_model_len: int
    """Tokens of a prompt and its answer together."""
    prefix_caching: bool = True
    """Whether a prompt that begins as an earlier one takes over its keys and values."""
    chunked_prefill: bool = True
    """Whether a long prompt is read in pieces, between which the others' tokens are written."""
    gpu_memory_utilization: float = 0.9
    """Share of a GPU's memory for weights, keys and values."""
    max_slots: int
    """Requests that are computed together; others wait."""
    compiled: bool = True
    """Whether an engine that can compile the model does: it starts minutes later, and is then faster."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"tensor_parallel": 1, "pipeline_parallel": 1, "max_model_len": 2, "max_slots": 1, "seed": 0}
        wrong = [
            f"{name}={getattr(self, name)}: must be {number} or more"
            for name, number in least.items()
            if getattr(self, name) < number
        ]
        if not 0 < self.gpu_memory_utilization <= 1:
            wrong.append(f"gpu_memory_utilization={self.gpu_memory_utilization}: must be above 0 and at most 1")
        if wrong:
            raise ValueError("; ".join(wrong))
