from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clusterlab.errors import InputError
from jobs.compress.packing import pack
from jobs.versus.unpack import dense, unpack_into

BITS, GROUPS, OUTPUTS, INPUTS = 4, 2, 8, 16


def _layer() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A layer as GPTQ stores it, with groups that are no neighbours, and the matrix that it stands for."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 2**BITS, (OUTPUTS, INPUTS), generator=generator, dtype=torch.uint8)
    zeros = torch.randint(1, 2**BITS, (GROUPS, OUTPUTS), generator=generator, dtype=torch.uint8)
    scales = torch.rand(GROUPS, OUTPUTS, generator=generator).half()
    groups = torch.arange(INPUTS) % GROUPS
    weight = torch.empty(OUTPUTS, INPUTS)
    for column, group in enumerate(groups.tolist()):
        weight[:, column] = (values[:, column].float() - zeros[group].float()) * scales[group].float()
    packed = {
        "qweight": pack(values, BITS).T.contiguous(),
        "qzeros": pack(zeros - 1, BITS),
        "scales": scales,
        "g_idx": groups.int(),
    }
    return packed, weight


def test_a_layer_is_the_matrix_that_its_packed_values_stand_for() -> None:
    packed, weight = _layer()
    found = dense(**packed, bits=BITS)
    assert found.dtype == torch.float16
    assert torch.equal(found, weight.half())


def _checkpoint(folder: Path, **quantization: object) -> torch.Tensor:
    packed, weight = _layer()
    state = {f"model.layers.0.mlp.up_proj.{name}": tensor for name, tensor in packed.items()}
    save_file(state | {"model.norm.weight": torch.ones(4)}, folder / "model.safetensors")
    config = {"quant_method": "gptq", "checkpoint_format": "gptq", "bits": BITS} | quantization
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": config}))
    (folder / "tokenizer.json").write_text("{}")
    return weight


def test_a_checkpoint_becomes_one_of_plain_matrices(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "plain"
    source.mkdir()
    folder.mkdir()
    weight = _checkpoint(source)
    unpack_into(source, folder)
    state = load_file(folder / "model.safetensors")
    assert set(state) == {"model.layers.0.mlp.up_proj.weight", "model.norm.weight"}
    assert torch.equal(state["model.layers.0.mlp.up_proj.weight"], weight.half())
    assert json.loads((folder / "config.json").read_text()) == {"model_type": "llama", "dtype": "float16"}
    assert (folder / "tokenizer.json").exists()


def test_zeros_of_another_layout_are_refused_and_not_read_wrongly(tmp_path: Path) -> None:
    _checkpoint(tmp_path, checkpoint_format="gptq_v2")
    with pytest.raises(InputError, match=r"config\.json: .*'gptq_v2'.*; allowed: .*'checkpoint_format': 'gptq'"):
        unpack_into(tmp_path, tmp_path)
