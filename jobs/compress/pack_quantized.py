"""A model that torchao rounded, as a checkpoint of compressed-tensors that is called `pack-quantized`.

transformers reads it where compressed-tensors is installed, at any width, and vLLM at 4 bits. What torchao itself
saves holds a byte for every weight, however few of its bits are used.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from jobs.compress.layers import decoder_linears
from jobs.compress.packing import pack

WEIGHTS = "model.safetensors"


def save_packed(model: Any, tokenizer: Any, folder: Path, *, bits: int, group_size: int) -> None:
    """Save a model whose linear layers `fake_quant` rounded, and its tokenizer, over what is in the folder."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    for name in decoder_linears(model):
        weight = state.pop(f"{name}.weight")
        # What is packed is from 0 on; the format takes the half of the range off again.
        values = (weight.qdata.int() + 2 ** (bits - 1)).to(torch.uint8)
        state |= {
            f"{name}.weight_packed": pack(values, bits),
            f"{name}.weight_scale": weight.scale,
            f"{name}.weight_shape": torch.tensor(weight.shape),
        }
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
        folder / WEIGHTS,
        metadata={"format": "pt"},
    )
    config = copy.deepcopy(model.config)
    config.quantization_config = _config(bits, group_size)
    # What the other weights are kept in now, not what they were loaded in: transformers reads them as that.
    config.dtype = model.get_input_embeddings().weight.dtype
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _config(bits: int, group_size: int) -> dict[str, Any]:
    """What transformers and vLLM know the format by: symmetric, so no zeros are stored."""
    weights = {"num_bits": bits, "type": "int", "symmetric": True, "strategy": "group", "group_size": group_size}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head"],
    }
