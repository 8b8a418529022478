from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs.compress.pack_quantized import WEIGHTS
from jobs.compress.size import disk_bytes
from jobs.launch.folder import VARIABLE
from jobs.llm import process
from jobs.qat import Config, _recovered, _train

SHORT = {
    "SCALE": "tiny",
    "BITS": "2",
    "STEPS": "12",
    "CHECKPOINT_EVERY": "4",
    "NUM_TRAIN": "64",
    "NUM_EVALUATION": "16",
}


def _losses(folder: Path) -> dict[tuple[str, int], float]:
    """Loss of the trainings by phase and step, of a step that was done again the last."""
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return {(row["phase"], row["step"]): row["loss"] for row in rows if row["phase"] != "pretrain"}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run at `tiny`: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("short")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _train(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert min(parse(Config, {"SCALE": scale}).widths) >= 2


def test_bit_widths_are_sorted() -> None:
    assert parse(Config, {"SCALE": "tiny", "BITS": "8, 2"}).widths == (2, 8)


@pytest.mark.parametrize(
    "given",
    [
        {"BITS": "1"},
        {"BITS": "9"},
        {"BITS": "4,4"},
        {"BITS": "4,"},
        {"BITS": "nf4"},
        {"GROUP_SIZE": "0"},
        {"STEPS": "0"},
        {"LEARNING_RATE": "-1"},
        {"SEED": "-1"},
        {"MODEL": "tiny-lama"},
        {"TEXT": "wikitext"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(given))):
        parse(Config, {"SCALE": "tiny"} | given)


def test_a_group_size_that_the_model_forbids_is_refused_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"GROUP_SIZE=128: model\.layers\.0\.self_attn\.q_proj: 192 input features"):
        _train(parse(Config, SHORT | {"GROUP_SIZE": "128"}))
    assert not (tmp_path / "checkpoints").exists()


def test_the_share_recovered_is_of_the_loss_that_rounding_adds_to_the_fine_tuned_model() -> None:
    losses = {"tuned": 1.0, "tuned_ptq_3": 1.5, "qat_3": 1.2, "ptq_3": 9.0}
    metrics = {f"{name}_perplexity": math.exp(loss) for name, loss in losses.items()}
    assert _recovered(metrics, 3) == pytest.approx({"loss_gap_3": 0.5, "recovered_3": 0.6})


def test_training_rounded_beats_rounding_what_was_trained_as_long(short: tuple[Path, dict[str, float]]) -> None:
    _, metrics = short
    assert metrics["tuned_perplexity"] < metrics["qat_2_perplexity"] < metrics["tuned_ptq_2_perplexity"]
    assert metrics["ptq_2_perplexity"] > metrics["perplexity"]
    assert 0 < metrics["recovered_2"] < 1
    assert metrics["conversion_gap_2"] == 0


def test_the_trained_model_is_saved_at_the_bits_that_it_was_trained_for(short: tuple[Path, dict[str, float]]) -> None:
    folder, metrics = short
    saved = folder / "qat-2"
    assert json.loads((saved / "config.json").read_text())["quantization_config"]["format"] == "pack-quantized"
    assert metrics["qat_2_disk_mib"] == disk_bytes(saved) / 2**20
    packed = load_file(saved / WEIGHTS)["model.layers.0.self_attn.q_proj.weight_packed"]
    # Sixteen weights of 2 bits in a word.
    assert 16 * packed.numel() == 192 * 192


def test_both_trainings_see_the_same_rows_in_the_same_order(
    short: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the rounding taken away, training rounded is training in float, to the bit.
    monkeypatch.setattr("jobs.compress.fake_quant.prepare", lambda *_: None)
    monkeypatch.setattr("jobs.compress.fake_quant.convert", lambda *_: None)
    monkeypatch.setattr("jobs.compress.pack_quantized.save_packed", lambda *_, **__: None)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    metrics = _train(parse(Config, SHORT | {"STEPS": "3"}))
    losses = _losses(tmp_path)
    assert [losses["qat-2", step] for step in (1, 2, 3)] == [losses["float", step] for step in (1, 2, 3)]
    assert losses["float", 3] == _losses(short[0])["float", 3]
    assert metrics["qat_2_perplexity"] == metrics["tuned_perplexity"]


class _GoneError(Exception):
    """The machine was taken away."""


def test_a_training_that_was_stopped_goes_on_to_the_very_same_result(
    short: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    whole = process.report_step

    def stop(phase: str, steps: int, step: int, *rest: Any) -> None:
        whole(phase, steps, step, *rest)
        if (phase, step) == ("qat-2", 6):
            raise _GoneError

    monkeypatch.setattr(process, "report_step", stop)
    with pytest.raises(_GoneError):
        _train(parse(Config, SHORT))
    monkeypatch.setattr(process, "report_step", whole)
    lines = len((tmp_path / METRICS).read_text().splitlines())
    assert _train(parse(Config, SHORT)) == short[1]
    assert _losses(tmp_path) == _losses(short[0])
    again = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()[lines:]]
    assert [(row["phase"], row["step"]) for row in again] == [("qat-2", step) for step in range(5, 13)]
    assert not (tmp_path / "checkpoints").exists()
