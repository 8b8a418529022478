from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel

from clusterlab.config import Scale, Source, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs.adapters import Config, _train
from jobs.launch.finished import Finished
from jobs.launch.folder import VARIABLE
from jobs.llm import bases
from jobs.llm.bases import Base
from jobs.tuning import trial
from jobs.tuning.family_picture import draw_family
from jobs.tuning.methods import METHODS
from jobs.tuning.table import family_table
from jobs.tuning.task import Task

SHORT = {"SCALE": "tiny", "STEPS": "6", "CHECKPOINT_EVERY": "3", "NUM_EVAL": "10", "LORA_RANK": "4"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run of all methods at `tiny`: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _train(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config_with_a_rate_for_each_method(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    assert all(getattr(config, method.rate) > 0 for method in METHODS.values())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"METHODS": "lora,lorra"}, "METHODS=lora,lorra: allowed: some of lora,qlora,dora,adalora,ia3,full, each once"),
        ({"METHODS": "lora,lora"}, "METHODS=lora,lora: allowed: some of lora,qlora,dora,adalora,ia3,full, each once"),
        ({"METHODS": ""}, "METHODS=: allowed: some of lora"),
        ({"STEPS": "4"}, "STEPS=4: adalora needs 5 at least"),
        ({"STEPS": "0"}, "STEPS=0: must be above 0"),
        ({"IA3_LEARNING_RATE": "0"}, "IA3_LEARNING_RATE=0.0: must be above 0"),
        ({"TARGETS": "q_proj,"}, "TARGETS=q_proj,: allowed: all-linear, or names"),
        ({"LORA_RANK": "-1"}, "LORA_RANK=-1: must be above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(Config, {"SCALE": "tiny"} | given)
    assert message in str(refused.value)


def test_few_steps_are_enough_where_no_rank_is_moved() -> None:
    assert parse(Config, {"SCALE": "tiny", "STEPS": "1", "METHODS": "lora,full"}).steps == 1


def test_a_rank_that_cannot_be_is_refused_before_the_base_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(bases, "tiny_llama", lambda _: pytest.fail("pretrained"))
    with pytest.raises(InputError, match=r"LORA_RANK=97: model\.layers\.0\.self_attn\.k_proj is 192 by 96"):
        _train(parse(Config, SHORT | {"LORA_RANK": "97", "METHODS": "lora"}))


def test_the_record_tells_what_each_method_took_and_learned(run: tuple[Path, dict[str, float]]) -> None:
    metrics = run[1]
    trained = {name: metrics[f"{name}_trainable_parameters"] for name in METHODS}
    assert trained["ia3"] < trained["lora"] == trained["qlora"] < trained["dora"] < trained["full"]
    for name in METHODS:
        assert metrics[f"{name}_gradients_mib"] == pytest.approx(4 * trained[name] / 2**20)
        # AdamW keeps two numbers a weight, and a counter for each tensor.
        assert metrics[f"{name}_optimizer_mib"] == pytest.approx(8 * trained[name] / 2**20, rel=0.02)
        parts = [metrics[f"{name}_{part}_mib"] for part in ("weights", "gradients", "optimizer")]
        assert metrics[f"{name}_memory_mib"] == pytest.approx(sum(parts))
        assert metrics[f"{name}_eval_loss"] < metrics["base_eval_loss"]
    assert metrics["full_weights_mib"] == metrics["base_mib"] > metrics["qlora_weights_mib"]
    assert metrics["adalora_ranks_before_total"] == 6 * 14
    assert metrics["adalora_ranks_after_total"] == 4 * 14
    assert metrics["lora_saved_mib"] == pytest.approx(4 * trained["lora"] / 2**20, rel=0.1)


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning")  # PEFT reads AdaLoRA's as LoRA's
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.adapter])
def test_what_was_saved_answers_in_peft_as_it_did_in_the_run(
    name: str, run: tuple[Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, metrics = run
    monkeypatch.setenv(VARIABLE, str(folder))
    base = Base.of(Source("tiny-llama"), lambda *_: None)
    model = PeftModel.from_pretrained(base.load(quantized=METHODS[name].quantized), folder / "tuned" / name)
    measured, _ = Task.load(parse(Config, SHORT), base).examine(model)
    assert measured["eval_loss"] == pytest.approx(metrics[f"{name}_eval_loss"], rel=1e-5)


def test_all_weights_are_saved_as_a_base_of_their_own(run: tuple[Path, dict[str, float]]) -> None:
    folder, metrics = run
    base = Base.of(Source(str(folder / "tuned" / "full")), lambda *_: None)
    measured, _ = Task.load(parse(Config, SHORT), base).examine(base.load(quantized=False))
    assert measured["eval_loss"] == pytest.approx(metrics["full_eval_loss"], rel=1e-6)


class _GoneError(Exception):
    """The machine was taken away."""


def test_a_run_that_was_interrupted_repeats_no_finished_method(
    run: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    config = parse(Config, SHORT | {"METHODS": "lora,ia3,full"})
    begun: list[str] = []
    tried = trial.tried

    def interrupted(name: str, *rest: Any) -> dict[str, Any]:
        begun.append(name)
        if begun == ["lora", "ia3"]:
            raise _GoneError
        return tried(name, *rest)

    monkeypatch.setattr(trial, "tried", interrupted)
    with pytest.raises(_GoneError):
        _train(config)
    metrics = _train(config)
    assert begun == ["lora", "ia3", "ia3", "full"]
    steps = [
        row["step"] for row in map(json.loads, (tmp_path / METRICS).read_text().splitlines()) if row["phase"] == "lora"
    ]
    assert steps == [1, 2, 3, 4, 5, 6]
    same = [key for key in metrics if not key.endswith("tokens_per_second")]
    assert {key: metrics[key] for key in same} == {key: run[1][key] for key in same}


def test_the_table_and_the_picture_are_made_of_the_finished_methods(
    run: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    finished = Finished(folder=run[0] / "methods")
    found = {name: finished.read(name) for name in METHODS}
    table = family_table(found, finished.read("base"))
    assert all(method.title in table for method in METHODS.values())
    draw_family(found, finished.read("base"), "a title", tmp_path / "family.png")
    assert (tmp_path / "family.png").read_bytes().startswith(b"\x89PNG")
