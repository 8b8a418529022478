"""What the sweep's methods save, read by transformers in the environment that has their library; `make test-quant`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.compress.corpus import Corpus
from jobs.compress.environments import ROOT, python_of
from jobs.compress.methods import METHODS, UNQUANTIZED
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting
from jobs.compress.sweep import Share, sweep
from tests.jobs.compress.test_sweep import _ray, setting  # noqa: F401

# Rounding to nearest saves in GPTQ's format, which transformers reads by GPTQModel.
READERS = {
    **dict.fromkeys(("rtn_8", "rtn_4", "rtn_3", "gptq_4", "gptq_3", "gptq_sym_4", "awq_4", "awq_3"), "quant"),
    "smoothquant": "compressor",
}
MOST = {3: 0.1, 4: 0.05, 8: 0.001}
"""Divergence in nats a token, by bits, of a Llama with random weights."""


def _logits(reader: str, checkpoint: Path, rows: Any, folder: Path) -> tuple[Any, str]:
    """What transformers computes with a checkpoint in the environment, and how its layers store their weights."""
    np.save(folder / "rows.npy", rows.numpy())
    files = [str(checkpoint), str(folder / "rows.npy"), str(folder / "logits.npy")]
    command = [python_of(reader), "-m", "tests.quant.logits", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.load(folder / "logits.npy")), done.stdout.split()[-1]


@pytest.fixture(scope="module")
def rows(setting: Setting, _ray: None) -> dict[str, Row]:  # noqa: F811
    methods = [METHODS[name] for name in (UNQUANTIZED, *READERS)]
    return {row.method: row for row in sweep(methods, setting, Share(cpus=1, gpus=0, seconds=600))}


@pytest.mark.parametrize("name", READERS)
def test_a_row_is_near_the_model_at_few_more_bits_than_its_name_says(name: str, rows: dict[str, Row]) -> None:
    row = rows[name]
    assert row.outcome is Outcome.MEASURED, row.reason
    assert row.bits < row.metrics["bits_per_parameter"] < row.bits + 2
    assert 0 < row.metrics["kl_divergence"] < MOST[int(row.bits)]
    assert row.metrics["disk_mib"] < rows[UNQUANTIZED].metrics["disk_mib"]


@pytest.mark.parametrize(("name", "reader"), READERS.items())
def test_its_checkpoint_loads_in_transformers_and_gives_the_measured_perplexity(
    name: str,
    reader: str,
    rows: dict[str, Row],
    setting: Setting,  # noqa: F811
    tmp_path: Path,
) -> None:
    evaluation = Corpus.load(setting.prepared()).evaluation
    logits, stored = _logits(reader, Path(rows[name].folder), evaluation, tmp_path)
    assert stored.startswith("torch.int")
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), evaluation[:, 1:].flatten())
    assert loss.exp().item() == pytest.approx(rows[name].metrics["perplexity"], rel=1e-3)
