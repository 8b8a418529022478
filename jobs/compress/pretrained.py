"""A checkpoint as transformers loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.llm.bases import compute_dtype


def from_pretrained(folder: Path, **values: Any) -> Any:
    """Load a folder, on the GPU where there is one; `values` go to `from_pretrained` of transformers.

    It computes in bfloat16 on a GPU and in float32 on a CPU where `dtype` is not among them.
    """
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    values = {"dtype": compute_dtype(), "device_map": {"": device}} | values
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **values)
