"""vLLM with a memory for keys and values whose bytes, and whose blocks' size, are known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.serving.settings import ServerSettings
from jobs.serving.vllm import Vllm

DTYPES = ("auto", "fp8")
"""Of keys and values: as the model computes, or in 8 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PagedVllm(Vllm):
    """vLLM's server; by default its memory is what the weights leave of a GPU, and its blocks are the platform's."""

    cache_bytes: int
    """For keys and values."""
    block_size: int
    """Tokens in a block."""
    cache_dtype: str
    """One of `DTYPES`."""

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """That of any vLLM, with these."""
        return [
            *Vllm.command(self, settings, port),
            f"--kv-cache-memory-bytes={self.cache_bytes}",
            f"--block-size={self.block_size}",
            f"--kv-cache-dtype={self.cache_dtype}",
        ]

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        """That of any vLLM, without the size for CPUs, which would be taken in place of `cache_bytes`."""
        variables = Vllm.environ(self, settings)
        del variables["VLLM_CPU_KVCACHE_SPACE"]
        return variables
