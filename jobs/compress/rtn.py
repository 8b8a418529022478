"""Round to nearest: each weight to the nearest of 2**bits values that its group spreads evenly from least to greatest.

The baseline that calibrated methods must beat. What it saves has the layout of GPTQ's checkpoints (Frantar et al.,
2022, arXiv:2210.17323), so that transformers loads it by GPTQModel.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.compress.methods import Inputs, Loaded, Method
from jobs.compress.packing import pack
from jobs.llm.bases import Base, compute_dtype

BATCH_BYTES = 4 * 2**20
"""Layers of one shape are rounded together as long as they take no more than that in float32, and stay in a cache."""
WEIGHTS = "model.safetensors"


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Round all layers, and save model and tokenizer."""
    from safetensors.torch import save_file

    bits = int(method.bits)
    model = Base(name=str(inputs.base)).load(quantized=False)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    layers = {name: model.get_submodule(name).weight.data for name in inputs.shapes}
    for name, packed in round_layers(layers, bits, inputs.group_size):
        del state[f"{name}.weight"]
        state |= {f"{name}.{key}": tensor.cpu() for key, tensor in packed.items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    model.config.quantization_config = _gptq_config(bits, inputs.group_size)
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    for path in inputs.base.glob("*token*"):
        shutil.copy(path, folder)


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it into layers that unpack their weights in each forward pass."""
    import torch
    from accelerate import init_empty_weights
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, LlamaConfig

    from jobs.compress.packed_linear import replace_layers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    values = json.loads((folder / "config.json").read_text())
    values.pop("quantization_config")
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(LlamaConfig(**values), dtype=compute_dtype())
    replace_layers(model, inputs.shapes, int(method.bits), inputs.group_size)
    state = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if not name.endswith(".g_idx")}
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    if unexpected or set(missing) > {"lm_head.weight"}:
        raise ValueError(f"{folder}: does not fit the model: {[*missing, *unexpected][:3]}")
    model.requires_grad_(requires_grad=False)
    return Loaded.of(model.to(device), inputs.shapes)


def round_layers(layers: dict[str, Any], bits: int, group_size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Round weights of (outputs, inputs), and yield what `PackedLinear` holds of each, by name.

    Layers of one shape go through together: a kernel for many small layers costs little more than for one of them.
    """
    import torch

    by_shape: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, weight in layers.items():
        by_shape[tuple(weight.shape)].append(name)
    for shape, names in by_shape.items():
        at_once = max(1, BATCH_BYTES // (4 * shape[0] * shape[1]))
        for start in range(0, len(names), at_once):
            chosen = names[start : start + at_once]
            packed = _rounded(torch.stack([layers[name] for name in chosen]).float(), bits, group_size)
            for index, name in enumerate(chosen):
                yield (
                    name,
                    {key: tensor[index].contiguous() for key, tensor in packed.items()}
                    | {"g_idx": torch.arange(shape[1], dtype=torch.int32) // group_size},
                )


def _rounded(weights: Any, bits: int, group_size: int) -> dict[str, Any]:
    """(layers, outputs, inputs) float32, which is overwritten, to packed values, scales and zeros of each group."""
    import torch

    most = 2**bits - 1
    groups = weights.unflatten(-1, (-1, group_size))
    # Zero is always one of the values: a group of one sign would else have no way to say it.
    low, high = groups.amin(dim=-1, keepdim=True).clamp_(max=0), groups.amax(dim=-1, keepdim=True).clamp_(min=0)
    # Weights are divided by the scale that is stored, not by the one that was computed.
    scales = high.sub_(low).div_(most).half().float().clamp_(min=torch.finfo(torch.float16).tiny)
    zeros = low.neg_().div_(scales).round_().clamp_(0, most)
    values = groups.div_(scales).round_().add_(zeros).clamp_(0, most).to(torch.uint8)
    zeros = zeros.squeeze(-1).to(torch.uint8)
    return {
        "qweight": pack(values.flatten(-2), bits).transpose(-1, -2),
        # A copy: where a row is one group, the transposed zeros count as contiguous with strides that no word has.
        "qzeros": pack(zeros.transpose(-1, -2).clone(memory_format=torch.contiguous_format), bits),
        "scales": scales.squeeze(-1).transpose(-1, -2).half().contiguous(),
    }


def _gptq_config(bits: int, group_size: int) -> dict[str, Any]:
    """What makes transformers take the checkpoint for one of GPTQ; `gptq_v2` stores zeros as they are."""
    return {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": group_size,
        "sym": False,
        "desc_act": False,
        "checkpoint_format": "gptq_v2",
    }
