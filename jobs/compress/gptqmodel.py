"""GPTQ (Frantar et al., 2022, arXiv:2210.17323) and AWQ (Lin et al., 2023, arXiv:2306.00978), by GPTQModel.

AutoGPTQ does not import beside today's transformers, and AutoAWQ is no longer maintained; transformers itself loads
both formats by GPTQModel.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jobs.compress.methods import Inputs, Loaded, Method
from jobs.compress.pretrained import from_pretrained
from jobs.llm.bases import compute_dtype

BATCH_SIZE = 8
"""Calibration rows of a forward pass."""


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Quantize layer by layer on the calibration rows, and save."""
    import torch

    # Its thread pools ask for two workers of a machine that may have one core.
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
    from gptqmodel import BACKEND, GPTQModel

    torch.manual_seed(inputs.seed)
    rows = [{"input_ids": row, "attention_mask": [1] * len(row)} for row in inputs.calibration.tolist()]
    on_cpu = not torch.cuda.is_available()
    model = GPTQModel.load(str(inputs.base), _config(method, inputs.group_size), dtype=_dtype(method))
    # AWQ asks for CUDA where it is not told which of its kernels to take.
    backend = BACKEND.AWQ_TORCH if on_cpu and method.settings["awq"] else BACKEND.AUTO
    model.quantize(rows, batch_size=BATCH_SIZE, backend=backend)
    model.save(str(folder))


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it with transformers."""
    return Loaded.of(from_pretrained(folder, dtype=_dtype(method)), inputs.shapes)


def _dtype(method: Method) -> Any:
    """What the model computes in; AWQ's layers do in 16 bits only, and float16 is the finer of the two."""
    import torch

    return torch.float16 if method.settings["awq"] else compute_dtype()


def _config(method: Method, group_size: int) -> Any:
    import torch
    from gptqmodel import QuantizeConfig
    from gptqmodel.quantization import FORMAT, METHOD

    values = {"method": METHOD.AWQ, "format": FORMAT.GEMM} if method.settings["awq"] else {"desc_act": False}
    config = QuantizeConfig(bits=int(method.bits), group_size=group_size, sym=method.settings["symmetric"], **values)
    if not torch.cuda.is_available():
        config.device = "cpu"
    return config
