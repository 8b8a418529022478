from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from clusterlab.config import parse
from jobs.compress.corpus import Corpus
from jobs.compress.quality import logits_error, perplexity
from jobs.gguf import Config, _work
from jobs.launch.folder import VARIABLE
from jobs.llm.bases import Base

TIMED = ("seconds", "per_second")
GIVEN = {"SCALE": "tiny", "NUM_ROWS": "16", "NEW_TOKENS": "16", "NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def job(python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A run at `tiny`: its folder and its metrics."""
    del python
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _work(parse(Config, GIVEN))


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    config = parse(Config, GIVEN)
    tokenizer = Base.of(config.model, lambda *_: None).tokenizer()
    counts: dict[str, Any] = {"row_length": config.row_length, "num_calibration": 0, "num_evaluation": config.num_rows}
    evaluation: torch.Tensor = Corpus.of(config.text, tokenizer, **counts, seed=config.seed).evaluation
    return evaluation


def test_the_exact_file_says_what_the_source_says(job: tuple[Path, dict[str, float]]) -> None:
    _, metrics = job
    assert metrics["logits_error_f32"] < 1e-5
    assert 1e-5 < metrics["logits_error_f16"] < 1e-2
    assert metrics["perplexity_f32"] == pytest.approx(metrics["perplexity_source"], rel=1e-5)
    assert metrics["tokenizer_agreement"] == 1


def test_fewer_bits_lose_more(job: tuple[Path, dict[str, float]]) -> None:
    _, metrics = job
    types = ("f32", "f16", "q8_0", "q4_k_m", "q2_k")
    for metric, falls in (("bits_per_parameter", True), ("disk_mib", True), ("kl_divergence", False)):
        values = [metrics[f"{metric}_{name}"] for name in types]
        assert values == sorted(values, reverse=falls), metric
    assert metrics["bits_per_parameter_q8_0"] == 8.5
    assert metrics["smallest_divergence_step"] > 2


def test_rows_of_256_fall_back_nowhere_and_rows_of_192_do(
    job: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert job[1]["fallback_share_q4_k_m"] == job[1]["fallback_share_q2_k"] == 0
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    other = _work(parse(Config, GIVEN | {"MODEL": "tiny-llama", "TYPES": "F16,Q4_K_M", "NUM_ROWS": "1"}))
    # Only `down` has rows of 512.
    assert 0.7 < other["fallback_share_q4_k_m"] < 1
    assert other["bits_per_parameter_q4_k_m"] > job[1]["bits_per_parameter_q4_k_m"] + 0.4


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K_M", "Q2_K"])
def test_transformers_reads_a_quantized_file_as_llama_cpp_does(
    name: str, job: tuple[Path, dict[str, float]], rows: torch.Tensor
) -> None:
    folder, metrics = job
    model = AutoModelForCausalLM.from_pretrained(folder / "models", gguf_file=f"{name}.gguf", dtype=torch.float32)
    source = AutoModelForCausalLM.from_pretrained(Base.of(parse(Config, GIVEN).model, lambda *_: None).name)
    # llama.cpp rounds the activations of a quantized matrix to 8 bits, transformers expands the weights. That adds as
    # much as rounding weights to 8 bits does: twice as much in all at Q8_0, and little where weights have fewer.
    assert perplexity(model.eval(), rows) == pytest.approx(metrics[f"perplexity_{name.lower()}"], rel=0.02)
    said = metrics[f"logits_error_{name.lower()}"]
    assert logits_error(model, source.eval(), rows) == pytest.approx(said, rel=0.25, abs=0.003)
    assert AutoTokenizer.from_pretrained(folder / "models", gguf_file=f"{name}.gguf")(" The list is")["input_ids"]


def test_the_server_says_what_the_file_says_and_leaves_nothing(job: tuple[Path, dict[str, float]]) -> None:
    folder, metrics = job
    assert (metrics["server_healthy"], metrics["server_agreement"]) == (1, 1)
    said = json.loads((folder / "completion.json").read_text())
    assert said["served"] == said["direct"] != ""
    assert not [process for process in psutil.process_iter(["cmdline"]) if "jobs.llamacpp.serve" in str(process.info)]
    assert not list(folder.glob("reference-*"))
    assert not list(folder.glob("corpus-*"))


def test_the_same_question_gives_the_same_answer(
    job: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    again = _work(parse(Config, GIVEN))
    kept = {name for name in again if not any(word in name for word in TIMED)}
    assert {name: again[name] for name in kept} == {name: job[1][name] for name in kept}
    steps = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps if row["phase"] == "measure"] == [1, 2, 3, 4, 5]
