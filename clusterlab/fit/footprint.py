"""What a training takes of one GPU, part by part, and of its host."""

from __future__ import annotations

from dataclasses import dataclass, fields

GIB = 2**30
RESERVE_BYTES = 2 * GIB
"""Kept free on each GPU for the CUDA context, the libraries' workspaces and fragmentation: an assumption, about what
PyTorch with NCCL takes beyond its tensors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Bytes that one GPU's process needs at its peak."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    buffers: int = 0
    """Weights gathered for the layer at work and the next, and the like."""
    reserve: int = RESERVE_BYTES
    host: int = 0
    """Of the host's memory, for this process; a host has as many such processes as GPUs."""

    @property
    def parts(self) -> dict[str, int]:
        """Bytes on the GPU by name of part."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "host"}

    @property
    def gpu(self) -> int:
        """Bytes on the GPU, all parts."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {bytes_ / GIB:.1f}" for name, bytes_ in self.parts.items() if bytes_)
        return f"{self.gpu / GIB:.1f} GiB per GPU ({parts})"
