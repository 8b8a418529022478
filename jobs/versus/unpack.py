"""A quantized checkpoint as plain matrices: the same model for a library that computes with nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.compress.packing import unpack
from jobs.llm.cache import cached

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
LAYOUT = {"quant_method": "gptq", "checkpoint_format": "gptq"}
"""Of a checkpoint that can be unpacked: GPTQ's first, which stores each zero less one."""


def unpacked(checkpoint: Path, fingerprint: str) -> Path:
    """The folder of the same model without quantization, made now if it is not in the cache.

    Weights are in float16, as the scales of the quantized ones are. `fingerprint` is that of the checkpoint.

    Raises:
        InputError: the checkpoint has another layout.
    """
    return cached("unpacked", [fingerprint, Path(__file__).read_text()], lambda folder: unpack_into(checkpoint, folder))


def unpack_into(checkpoint: Path, folder: Path) -> None:
    """Write config, tokenizer and weights into a folder."""
    from safetensors.torch import load_file, save_file

    config = json.loads((checkpoint / CONFIG).read_text())
    quantization = config.pop("quantization_config", {})
    layout = {name: quantization.get(name) for name in LAYOUT}
    if layout != LAYOUT:
        raise InputError(Problem(path=str(checkpoint / CONFIG), message=f"{layout}; allowed: {LAYOUT}"))
    state: dict[str, Any] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        state |= load_file(path)
    layers = [name.removesuffix(".qweight") for name in state if name.endswith(".qweight")]
    for layer in layers:
        packed = {part: state.pop(f"{layer}.{part}") for part in ("qweight", "qzeros", "scales", "g_idx")}
        state[f"{layer}.weight"] = dense(**packed, bits=quantization["bits"])
    save_file({name: _half(tensor) for name, tensor in state.items()}, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config | {"dtype": "float16"}, indent=2))
    for path in (*checkpoint.glob("*token*"), *checkpoint.glob("generation_config.json")):
        shutil.copy(path, folder)


def dense(*, qweight: Any, qzeros: Any, scales: Any, g_idx: Any, bits: int) -> Any:
    """The matrix of a layer: (outputs, inputs) float16.

    `qweight` (inputs * bits / 32, outputs) int32, `qzeros` (groups, outputs * bits / 32) int32, `scales` (groups,
    outputs) float16, and `g_idx` (inputs,) int32, the group of each input.
    """
    values, zeros = unpack(qweight.T, bits).float(), unpack(qzeros, bits).float() + 1
    groups = g_idx.long()
    return ((values - zeros[groups].T) * scales.float()[groups].T).half().contiguous()


def _half(tensor: Any) -> Any:
    return tensor.half() if tensor.is_floating_point() else tensor
