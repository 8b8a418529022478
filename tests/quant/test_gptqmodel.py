"""What runs in `.venv/quant`, which `make test-quant` makes first: GPTQ and AWQ, and who can read their checkpoints."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.compress import rtn
from jobs.compress.environments import ROOT, python_of
from jobs.compress.methods import METHODS, UNQUANTIZED, Inputs
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting
from jobs.compress.size import linear_shapes
from jobs.compress.sweep import Share, sweep
from jobs.llm.bases import Base
from tests.jobs.compress.test_sweep import _ray, setting  # noqa: F401

CALIBRATED = ("gptq_4", "gptq_3", "awq_4", "awq_3")


def _logits(checkpoint: Path, rows: Any, folder: Path) -> tuple[NDArray[np.float32], str]:
    """What transformers computes with a checkpoint in the environment, and the class of its layers."""
    np.save(folder / "rows.npy", rows.numpy())
    files = [str(checkpoint), str(folder / "rows.npy"), str(folder / "logits.npy")]
    command = [python_of("quant"), "-m", "tests.quant.logits", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "logits.npy"), done.stdout.split()[-1]


@pytest.fixture(scope="module")
def rows(setting: Setting, _ray: None) -> dict[str, Row]:  # noqa: F811
    methods = [METHODS[name] for name in (UNQUANTIZED, *CALIBRATED)]
    return {row.method: row for row in sweep(methods, setting, Share(cpus=1, gpus=0, seconds=600))}


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_calibrated_checkpoint_loads_in_transformers_and_is_near_the_model(name: str, rows: dict[str, Row]) -> None:
    row = rows[name]
    assert row.outcome is Outcome.MEASURED, row.reason
    assert METHODS[name].bits < row.metrics["bits_per_parameter"] < METHODS[name].bits + 2
    assert 0 < row.metrics["kl_divergence"] < 0.1
    assert row.metrics["disk_mib"] < rows[UNQUANTIZED].metrics["disk_mib"]


@pytest.mark.parametrize("name", ["rtn_8", "rtn_4", "rtn_3"])
def test_what_round_to_nearest_saves_computes_the_same_in_transformers(
    name: str,
    setting: Setting,  # noqa: F811
    tmp_path: Path,
) -> None:
    base = Base.of(setting.model, lambda *_: None)
    shapes = linear_shapes(base.skeleton())
    tokens = torch.randint(3, 90, (2, 16), generator=torch.Generator().manual_seed(0))
    inputs = Inputs(base=Path(base.name), shapes=shapes, calibration=tokens, group_size=32, seed=0)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    rtn.quantize(METHODS[name], inputs, checkpoint)
    ours = rtn.load(METHODS[name], inputs, checkpoint).model
    with torch.no_grad():
        wanted = ours(input_ids=tokens).logits.numpy()
    found, kind = _logits(checkpoint, tokens, tmp_path)
    assert kind != "Linear"
    assert np.linalg.norm(found - wanted) < 0.01 * np.linalg.norm(wanted)
