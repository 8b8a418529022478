from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from clusterlab.config import parse
from jobs.compress.corpus import Corpus
from jobs.compress.llamacpp import FILE
from jobs.compress.methods import METHODS, UNQUANTIZED
from jobs.compress.quality import perplexity
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting
from jobs.compress.sweep import Share, sweep
from jobs.llm.bases import Base
from jobs.quantize import Config, _setting
from tests.sweeps import ray_of_two

# The least and the most bits of the blocks that a type has, and the divergence in nats a token that it keeps below.
KNOWN = {"gguf_q8_0": (8.5, 8.5, 1e-4), "gguf_q4_k_m": (4.5, 5.6, 5e-3), "gguf_q2_k": (2.6, 3.7, 0.05)}


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Of a base that is in the cache, before this module's sweep gets one of its own."""
    base = Base.of(parse(Config, {"SCALE": "tiny"}).model, lambda *_: None).folder()
    return _setting(parse(Config, {"SCALE": "tiny", "MODEL": str(base), "NUM_EVALUATION": "16", "NUM_COMPARED": "16"}))


@pytest.fixture(scope="module")
def rows(python: str, setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Row]]:
    del python
    methods = [METHODS[name] for name in (UNQUANTIZED, *KNOWN)]
    with ray_of_two(tmp_path_factory.mktemp("cache")):
        yield {row.method: row for row in sweep(methods, setting, Share(cpus=1, gpus=0, seconds=600))}


@pytest.mark.parametrize("name", KNOWN)
def test_a_type_is_a_row_and_transformers_reads_its_file_with_the_measured_perplexity(
    name: str, rows: dict[str, Row], setting: Setting
) -> None:
    row, (fewest, most, kept) = rows[name], KNOWN[name]
    assert row.outcome is Outcome.MEASURED, row.reason
    assert fewest <= row.metrics["bits_per_parameter"] <= most
    assert 0 < row.metrics["kl_divergence"] < kept
    assert {path.name for path in Path(row.folder).iterdir()} == {FILE}
    model = AutoModelForCausalLM.from_pretrained(row.folder, gguf_file=FILE, dtype=torch.float32).eval()
    evaluation = Corpus.load(setting.prepared()).evaluation
    # llama.cpp rounds the activations of a quantized matrix to 8 bits, transformers expands the weights.
    assert perplexity(model, evaluation) == pytest.approx(row.metrics["perplexity"], rel=0.02)
