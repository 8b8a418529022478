from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from jobs.compress.fake_quant import convert, prepare
from jobs.compress.layers import decoder_linears
from jobs.compress.pack_quantized import WEIGHTS, save_packed
from jobs.compress.packing import unpack
from jobs.llm.bases import Base
from tests.sweeps import setting_of

GROUP_SIZE = 32


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_file_holds_the_very_weights_that_the_model_computes_with(llama: Any, tmp_path: Path, bits: int) -> None:
    tokenizer = Base(name=str(setting_of(llama, tmp_path).base())).tokenizer()
    prepare(llama, bits, GROUP_SIZE)
    convert(llama, bits, GROUP_SIZE)
    save_packed(llama, tokenizer, tmp_path / "packed", bits=bits, group_size=GROUP_SIZE)
    state = load_file(tmp_path / "packed" / WEIGHTS)
    layers = decoder_linears(llama)
    for name, layer in layers.items():
        values = unpack(state.pop(f"{name}.weight_packed"), bits).float() - 2 ** (bits - 1)
        scales = state.pop(f"{name}.weight_scale")
        weight = (values.unflatten(1, (-1, GROUP_SIZE)) * scales[:, :, None]).flatten(1)
        assert torch.equal(weight, layer.weight.dequantize())
        assert state.pop(f"{name}.weight_shape").tolist() == list(weight.shape)
    # All else is as the model has it.
    assert set(state) == {name for name in llama.state_dict() if name.removesuffix(".weight") not in layers}
    assert all(torch.equal(tensor, llama.state_dict()[name]) for name, tensor in state.items())


def test_what_is_beside_the_weights_says_how_to_read_them(llama: Any, tmp_path: Path) -> None:
    tokenizer = Base(name=str(setting_of(llama, tmp_path).base())).tokenizer()
    llama.config.dtype = torch.bfloat16
    prepare(llama, 3, GROUP_SIZE)
    convert(llama, 3, GROUP_SIZE)
    save_packed(llama, tokenizer, tmp_path / "packed", bits=3, group_size=GROUP_SIZE)
    written = json.loads((tmp_path / "packed" / "config.json").read_text())
    weights = written["quantization_config"]["config_groups"]["group_0"]["weights"]
    assert (weights["num_bits"], weights["group_size"], weights["symmetric"]) == (3, GROUP_SIZE, True)
    assert AutoTokenizer.from_pretrained(tmp_path / "packed").get_vocab() == tokenizer.get_vocab()
    assert written["dtype"] == "float32"
    # The model in memory is not one that was read from such a file.
    assert not hasattr(llama.config, "quantization_config")
