from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.compress import bnb, unquantized
from jobs.compress.methods import METHODS, Inputs
from jobs.compress.quality import logits_error
from jobs.llm.bases import Base


@pytest.mark.parametrize(
    ("name", "low", "high", "most"),
    [("llm_int8", 8.2, 8.6, 0.03), ("nf4", 4.5, 4.52, 0.3), ("nf4_dq", 4.127, 4.4, 0.3)],
)
def test_what_bitsandbytes_saves_loads_in_transformers(
    name: str, low: float, high: float, most: float, inputs: Inputs, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    bnb.quantize(METHODS[name], inputs, folder)
    loaded = bnb.load(METHODS[name], inputs, folder)
    base = Base(name=str(inputs.base)).load(quantized=False)
    assert low < loaded.bits_per_parameter < high
    assert 0 < logits_error(loaded.model, base, inputs.calibration) < most


def test_a_checkpoint_gives_the_same_logits_however_often_it_was_read(inputs: Inputs, tmp_path: Path) -> None:
    # bitsandbytes packs weights anew in the first forward pass; a checkpoint saved behind it would be another.
    bnb.quantize(METHODS["nf4"], inputs, tmp_path / "nf4")
    logits = []
    for _ in range(2):
        loaded = bnb.load(METHODS["nf4"], inputs, tmp_path / "nf4")
        with torch.no_grad():
            logits += [loaded.model(input_ids=inputs.calibration).logits for _ in range(2)]
    assert all(torch.equal(each, logits[0]) for each in logits)


def test_the_unquantized_model_is_itself(inputs: Inputs, tmp_path: Path) -> None:
    unquantized.quantize(METHODS["unquantized"], inputs, tmp_path / "same")
    loaded = unquantized.load(METHODS["unquantized"], inputs, tmp_path / "same")
    base = Base(name=str(inputs.base)).load(quantized=False)
    assert logits_error(loaded.model, base, inputs.calibration) == 0
    assert loaded.bits_per_parameter == 32
