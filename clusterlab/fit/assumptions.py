"""What the estimates of `clusterlab fit` assume beyond the catalog, each with its source."""

from __future__ import annotations

from collections.abc import Iterator

COMPUTE_SHARE = 0.45
"""Of the catalog's peak that computing alone reaches. Whole trainings, communication included, are published at 38 %
(picotron, LLaMA-2-7B on 64 H100) to 48 % (Megatron-LM's README)."""
FLOAT32_SHARE = 0.5
"""Of the 16-bit peak, in float32 through TF32 (NVIDIA's data sheets). A T4 has no TF32 and is slower than this."""
LINK_SHARE = 0.8
"""Of a link's line rate that collectives reach: an assumption; `labs/allreduce.yaml` measures it."""
_PCIE_3, _PCIE_4, _PCIE_5 = 16, 32, 64
_ON_PCIE = {"T4": _PCIE_3, "A10": _PCIE_4, "A10G": _PCIE_4, "L4": _PCIE_4, "L40S": _PCIE_4}
_A100, _H100 = ("A100", "A100-80GB", "A100-80GB-SXM"), ("H100", "H100-SXM", "H200")
GPU_LINK_GB_PER_SECOND = _ON_PCIE | dict.fromkeys(_A100, 300) | dict.fromkeys(_H100, 450)
"""Between the GPUs of a machine, one way: NVLink (A100 600 both ways, H100 900), or PCIe 3.0 x16 (T4) or 4.0 x16, by
NVIDIA's data sheets."""
PCIE_GB_PER_SECOND = _ON_PCIE | dict.fromkeys(_A100, _PCIE_4) | dict.fromkeys(_H100, _PCIE_5)
"""Between a GPU and its host, one way: PCIe 3.0, 4.0 or 5.0 x16, by the same sheets."""
HOST_MEMORY_GB_PER_SECOND = 100
"""Through which Adam on the CPU reads and writes its states: an assumption, half of eight channels of DDR4-3200."""
NVME_GB_PER_SECOND = 3.0
"""Of a machine's local disks together, read or written: an assumption, near one PCIe 3.0 x4 drive (3.9 at most)."""
HOST_SHARE = 0.9
"""Of a host's memory that offloaded states may take: an assumption; the rest is the system's and the data loader's."""
NVME_BUFFER_BYTES = 9 * 100_000_000 * 4
"""Pinned host memory per GPU for NVMe: DeepSpeed's defaults, 5 + 4 buffers of 10^8 values, in float32."""
GRADIENT_BUCKET = 500_000_000
"""Gradients in the bucket that is being reduced: DeepSpeed's default `reduce_bucket_size`, for stages 1 and 2."""
GATHERED_LAYERS = 2
"""Layers whose weights stage 3 has whole at one time: the one at work, and the next one, which is being fetched."""
MICRO_BATCHES = 8
"""Of each data-parallel replica, per step of the optimizer, where `--micro-batches` does not say."""


def listed() -> Iterator[str]:
    """Each in a sentence, as it stands below the table."""
    yield (
        f"compute reaches {COMPUTE_SHARE:.0%} of the catalog's 16-bit peak (published whole trainings: 38 % picotron, "
        f"48 % Megatron-LM); float32 half of that, through TF32; recomputing attention or all is added work"
    )
    yield (
        f"links reach {LINK_SHARE:.0%} of their line rate (an assumption; labs/allreduce.yaml measures it): NVLink or "
        "PCIe inside a machine (NVIDIA's data sheets), the catalog's network between machines; nothing overlaps"
    )
    yield (
        "volume per step of m micro-batches, in parameters (arXiv:1910.02054, section 7): ddp and zero-1 send 2, "
        "zero-2 m + 1, zero-3 3m, so 1, 1, 1 and 1.5 times at m = 1"
    )
    yield (
        "tp-N: Megatron's sequence parallelism (arXiv:2205.05198), optimizer states split over the replicas; "
        "pp-N: 1F1B, idle for (N - 1)/m of the time (arXiv:2104.04473)"
    )
    yield (
        f"offload: gradients and states on the host, Adam at {HOST_MEMORY_GB_PER_SECOND} GB/s of its memory and "
        f"{HOST_SHARE:.0%} of it to use; NVMe at {NVME_GB_PER_SECOND:g} GB/s a machine, big enough (assumptions)"
    )
    yield (
        "other: 2 GiB kept free for CUDA, NCCL and fragmentation (an assumption); the bucket of DeepSpeed's stages 1 "
        "and 2 (its default); two layers gathered in stage 3"
    )
    yield (
        "activations: arXiv:2205.05198 for Llama's layer; a fused attention kernel has `selective`'s bytes at the "
        "speed of `none`"
    )
