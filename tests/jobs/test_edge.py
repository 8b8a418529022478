from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2Config

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from jobs import edge
from jobs.device.case import Case
from jobs.edge import Config, _work, main
from jobs.launch import exchange
from jobs.launch.folder import VARIABLE
from jobs.llamacpp import asked
from jobs.llm.pretrain import TinyLlama
from tests.jobs.device.test_study import reading


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_threads > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"TYPES": "F16,Q9_K"}, "TYPES=F16,Q9_K: 'Q9_K' unknown; allowed: F32, F16, Q8_0, Q6_K"),
        ({"TYPES": "F16,Q4_0"}, "STUDIED=Q8_0: allowed: one of TYPES, F16, Q4_0"),
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: random-llama, tiny-llama, tiny-llama-256"),
        ({"THREADS": "2,1"}, "THREADS=2,1: each must be above the one before it"),
        ({"THREADS": "0"}, "THREADS=0: allowed: whole numbers above 0, with commas between"),
        ({"NUM_THREADS": "0"}, "NUM_THREADS=0: must be 1 or more"),
        ({"WATTS_PER_CORE": "0"}, "WATTS_PER_CORE=0.0: must be above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ENVIRONMENT", "nowhere")
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


def test_an_architecture_that_llama_cpp_does_not_have_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    GPT2Config(n_layer=1).save_pretrained(tmp_path / "model")
    with pytest.raises(InputError, match="model_type: 'gpt2' is not known to the exporter; known: llama, mistral"):
        _work(parse(Config, {"SCALE": "tiny", "MODEL": str(tmp_path / "model")}))
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_reads_no_case_again_and_leaves_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    monkeypatch.setenv("CLUSTERLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        edge, "LARGE", TinyLlama(hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2)
    )
    read = list[str]()

    def write(_module: str, asked: dict[str, Any], folder: Path, **_: object) -> dict[str, float]:
        folder.mkdir(parents=True)
        return dict.fromkeys(asked["types"], 1.0)

    def stopped(case: Case, folder: Path, _seconds: float) -> dict[str, Any]:
        if len(read) == 3:
            read.append("stopped")
            raise KeyboardInterrupt
        read.append(case.name)
        (folder.parent / "F32.gguf").write_text("weights")
        return reading(100.0)

    monkeypatch.setattr(exchange, "ask", write)
    monkeypatch.setattr(Case, "read", stopped)
    config = parse(Config, {"SCALE": "tiny"})
    with pytest.raises(KeyboardInterrupt):
        _work(config)
    assert (tmp_path / "run" / "models" / "F32.gguf").exists()
    metrics = _work(config)
    assert len(read) == len(set(read))
    assert metrics["gain_q8_0"] == 1
    assert not (tmp_path / "run" / "models").exists()
