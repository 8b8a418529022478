"""What a GGUF file holds: its bytes, its bits by weight, and the types that its matrices really have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.llamacpp.file_types import is_super_blocked

_BLOCKS = "blk."
"""How the names begin of what is in the blocks; the embedding and the head are outside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Sizes of one file."""

    num_bytes: int
    """Of all tensors, quantization constants included."""
    bits_per_parameter: float
    """Of the matrices in the blocks: the linear layers, the head apart."""
    weights_by_type: Mapping[str, int]
    """Weights of all matrices by the type that they are stored in, such as `Q4_K`."""

    @classmethod
    def of(cls, path: Path) -> Contents:
        """Read the index of a file, not its weights."""
        from gguf import GGUFReader

        tensors = GGUFReader(path).tensors
        matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
        linear = [tensor for tensor in matrices if tensor.name.startswith(_BLOCKS)]
        by_type: dict[str, int] = {}
        for tensor in matrices:
            name = tensor.tensor_type.name
            by_type[name] = by_type.get(name, 0) + int(tensor.n_elements)
        return cls(
            num_bytes=sum(int(tensor.n_bytes) for tensor in tensors),
            bits_per_parameter=8
            * sum(int(tensor.n_bytes) for tensor in linear)
            / sum(int(tensor.n_elements) for tensor in linear),
            weights_by_type=by_type,
        )

    def fallback_share(self, file_type: str) -> float:
        """Share of the matrices' weights that a K type was asked for and that have another.

        llama.cpp stores a row whose length is no multiple of 256 in a type with smaller blocks, which takes more bits.
        """
        if not is_super_blocked(file_type):
            return 0.0
        fallen = sum(count for name, count in self.weights_by_type.items() if not is_super_blocked(name))
        return fallen / sum(self.weights_by_type.values())
