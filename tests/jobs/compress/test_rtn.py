from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.compress import rtn
from jobs.compress.methods import METHODS, Inputs
from jobs.compress.packing import unpack
from jobs.compress.quality import logits_error
from jobs.compress.size import bits_per_parameter, disk_bytes
from jobs.llm.bases import Base


def _by_hand(weight: Any, bits: int, group_size: int) -> Any:
    """The weights after rounding, one group after the other."""
    found = torch.empty_like(weight)
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], group_size):
            group = weight[row, start : start + group_size]
            low, high = group.min().clamp(max=0), group.max().clamp(min=0)
            scale = ((high - low) / (2**bits - 1)).half().float()
            zero = torch.round(-low / scale)
            value = torch.clamp(torch.round(group / scale) + zero, 0, 2**bits - 1)
            found[row, start : start + group_size] = (value - zero) * scale
    return found


def _loaded(inputs: Inputs, tmp_path: Path, name: str) -> Any:
    folder = tmp_path / name
    folder.mkdir()
    rtn.quantize(METHODS[name], inputs, folder)
    return rtn.load(METHODS[name], inputs, folder), folder


# In groups of 64 a row of most layers is one group.
@pytest.mark.parametrize(
    ("name", "group_size"), [("rtn_8", 32), ("rtn_4", 32), ("rtn_3", 32), ("rtn_8", 64), ("rtn_4", 64)]
)
def test_every_weight_is_the_one_that_rounding_group_by_group_gives(
    name: str, group_size: int, inputs: Inputs, tmp_path: Path
) -> None:
    inputs = dataclasses.replace(inputs, group_size=group_size)
    loaded, _ = _loaded(inputs, tmp_path, name)
    base = Base(name=str(inputs.base)).load(quantized=False)
    for layer in inputs.shapes:
        found = loaded.model.get_submodule(layer).weight(torch.float32)
        wanted = _by_hand(base.get_submodule(layer).weight, int(METHODS[name].bits), inputs.group_size)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)


def test_the_model_computes_with_the_rounded_weights(inputs: Inputs, tmp_path: Path) -> None:
    loaded, _ = _loaded(inputs, tmp_path, "rtn_4")
    base = Base(name=str(inputs.base)).load(quantized=False)
    unrounded = logits_error(loaded.model, base, inputs.calibration)
    for layer in inputs.shapes:
        weight = base.get_submodule(layer).weight
        weight.data = _by_hand(weight.data, 4, inputs.group_size)
    assert logits_error(loaded.model, base, inputs.calibration) < 1e-5 < unrounded


def test_more_bits_are_nearer_to_the_unquantized_model(inputs: Inputs, tmp_path: Path) -> None:
    base = Base(name=str(inputs.base)).load(quantized=False)
    names = ("rtn_8", "rtn_4", "rtn_3")
    errors = [logits_error(_loaded(inputs, tmp_path, name)[0].model, base, inputs.calibration) for name in names]
    assert errors[0] < errors[1] / 8 < errors[2] / 12


@pytest.mark.parametrize(("name", "bits"), [("rtn_8", 8 + 24 / 32), ("rtn_4", 4 + 20 / 32), ("rtn_3", 3 + 19 / 32)])
def test_a_weight_takes_its_bits_and_its_share_of_a_scale_and_a_zero(
    name: str, bits: float, inputs: Inputs, tmp_path: Path
) -> None:
    loaded, folder = _loaded(inputs, tmp_path, name)
    assert loaded.bits_per_parameter == bits == bits_per_parameter(loaded.model, inputs.shapes)
    indices = sum(columns for _, columns in inputs.shapes.values()) * 4
    # What is on disk besides: whose group an input is in, for the tools that ask, and the names of the tensors.
    assert 0 < disk_bytes(folder) - loaded.memory_bytes - indices < 20_000


def test_how_many_layers_are_rounded_at_once_changes_nothing(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Base(name=str(inputs.base)).load(quantized=False)
    layers = {name: base.get_submodule(name).weight.data for name in inputs.shapes}
    before = {name: weight.clone() for name, weight in layers.items()}
    together = dict(rtn.round_layers(layers, 4, 32))
    monkeypatch.setattr(rtn, "BATCH_BYTES", 1)
    alone = dict(rtn.round_layers(layers, 4, 32))
    assert together.keys() == alone.keys() == layers.keys()
    for name, packed in alone.items():
        assert all(torch.equal(tensor, together[name][key]) for key, tensor in packed.items())
        assert torch.equal(layers[name], before[name])


def test_groups_of_one_sign_and_of_zeros_keep_zero() -> None:
    weight = torch.cat([torch.full((32, 32), 0.5), torch.zeros(32, 32), torch.full((32, 32), -2.0)], dim=1)
    [(_, packed)] = rtn.round_layers({"layer": weight}, 4, 32)
    values = unpack(packed["qweight"].T, 4).float().unflatten(1, (3, 32))
    zeros = unpack(packed["qzeros"], 4).T.float()
    found = ((values - zeros[:, :, None]) * packed["scales"].T[:, :, None].float()).flatten(1)
    torch.testing.assert_close(found, weight, rtol=1e-3, atol=0)


def test_the_checkpoint_says_that_it_is_in_gptqs_layout(inputs: Inputs, tmp_path: Path) -> None:
    _, folder = _loaded(inputs, tmp_path, "rtn_3")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert (config["quant_method"], config["bits"], config["group_size"]) == ("gptq", 3, 32)
