from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers
from transformers import GPT2Config

from clusterlab.config import Scale, parse
from clusterlab.errors import ClusterlabError, InputError, MissingError
from jobs.gguf import Config, _steps, _work, main
from jobs.launch.environments import OWN
from jobs.launch.exchange import ASKED
from jobs.launch.folder import VARIABLE
from jobs.llamacpp import asked
from jobs.llamacpp.asked import Asked, ask
from tests.jobs.llamacpp.conftest import trained


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_rows > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"TYPES": "F16,Q9_K"}, "TYPES=F16,Q9_K: 'Q9_K' unknown; allowed: F32, F16, Q8_0, Q6_K"),
        ({"TYPES": "F16,Q8_0"}, "SERVED=Q4_K_M: allowed: one of TYPES, F16, Q8_0"),
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama, tiny-llama-256"),
        ({"TEXT": "wiki"}, "TEXT=wiki: allowed: made, shipped"),
        ({"ROW_LENGTH": "1"}, "ROW_LENGTH=1: must be 2 or more"),
        ({"NUM_ROWS": "0"}, "NUM_ROWS=0: must be 1 or more"),
        ({"NUM_THREADS": "0"}, "NUM_THREADS=0: must be 1 or more"),
        ({"SEED": "-1"}, "SEED=-1: must be 0 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ENVIRONMENT", "nowhere")
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


def test_an_architecture_that_the_exporter_does_not_know_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    GPT2Config(n_layer=1).save_pretrained(tmp_path / "model")
    trained(pre_tokenizers.ByteLevel()).save_pretrained(tmp_path / "model")
    with pytest.raises(InputError, match="model_type: 'gpt2' is not known to the exporter; known: llama"):
        _work(parse(Config, {"SCALE": "tiny", "MODEL": str(tmp_path / "model")}))
    assert not (tmp_path / "run").exists()


def test_what_its_process_said_last_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ENVIRONMENT", OWN)
    GPT2Config(n_layer=1).save_pretrained(tmp_path / "model")
    nowhere = str(tmp_path / "nowhere")
    order = Asked(
        base=str(tmp_path / "model"),
        corpus=nowhere,
        models=nowhere,
        types=["F32"],
        served="F32",
        new_tokens=1,
        num_threads=1,
    )
    with pytest.raises(ClusterlabError, match="'gpt2' is not known to the exporter") as failed:
        ask(order, tmp_path)
    assert failed.value.exit_code == InputError.exit_code
    assert Asked(**json.loads((tmp_path / ASKED).read_text())) == order


def test_the_least_step_is_between_types_in_the_order_of_their_bits() -> None:
    metrics = {"bits_per_parameter_q8_0": 8.5, "bits_per_parameter_q2_k": 3.0, "bits_per_parameter_q4_k_m": 4.7}
    metrics |= {"kl_divergence_q8_0": 1.0, "kl_divergence_q2_k": 60.0, "kl_divergence_q4_k_m": 10.0}
    assert _steps(metrics, ("F32", "Q2_K", "Q8_0", "Q4_K_M")) == {"smallest_divergence_step": 6.0}
    assert _steps(metrics, ("F32", "Q8_0")) == {}
