"""What the sweep's methods save, read by transformers in the environment that has their library; `make test-quant`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from jobs.compress.corpus import Corpus
from jobs.compress.methods import METHODS, UNQUANTIZED
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting, refuse
from jobs.compress.sweep import Share, sweep
from tests.jobs.conftest import small_llama
from tests.quant.conftest import logits_of
from tests.sweeps import ray_of_two, setting_of

# Rounding to nearest saves in GPTQ's format, which transformers reads by GPTQModel.
READERS = {
    **dict.fromkeys(("rtn_8", "rtn_4", "rtn_3", "gptq_4", "gptq_3", "gptq_sym_4", "awq_4", "awq_3"), "quant"),
    "smoothquant": "compressor",
}
MOST = {3: 0.1, 4: 0.05, 8: 0.001}
"""Divergence in nats a token, by bits, of a Llama with random weights."""


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """With as many heads of keys and values as of queries: AWQ takes multiples of 64 outputs."""
    return setting_of(small_llama(num_key_value_heads=4), tmp_path_factory.mktemp("setting"))


@pytest.fixture(scope="module")
def rows(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Row]]:
    methods = [METHODS[name] for name in (UNQUANTIZED, *READERS)]
    with ray_of_two(tmp_path_factory.mktemp("cache")):
        refuse(methods, setting.shapes(), setting.group_size)
        yield {row.method: row for row in sweep(methods, setting, Share(cpus=1, gpus=0, seconds=600))}


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
    setting: Setting,
    tmp_path: Path,
) -> None:
    evaluation = Corpus.load(setting.prepared()).evaluation
    logits, stored = logits_of(reader, Path(rows[name].folder), evaluation, tmp_path)
    assert stored.startswith("torch.int")
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), evaluation[:, 1:].flatten())
    assert loss.exp().item() == pytest.approx(rows[name].metrics["perplexity"], rel=1e-3)
