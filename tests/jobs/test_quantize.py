from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from jobs.compress.methods import METHODS, chosen
from jobs.compress.row import Outcome, Row
from jobs.launch.folder import VARIABLE
from jobs.llm.cache import VARIABLE as CACHE
from jobs.quantize import Config, _check, _metrics, _setting

TINY = {"SCALE": "tiny", "METHODS": "rtn_4"}


@pytest.fixture
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's folder, and a cache that has nothing."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


@pytest.fixture
def base(tmp_path: Path) -> str:
    """The configuration of a model whose weights nobody may ask for."""
    folder = tmp_path / "base"
    folder.mkdir()
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 4}
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 96} | shape))
    return str(folder)


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    on_gpu = scale in (Scale.SINGLE, Scale.FULL)
    wanted = [method for method in METHODS.values() if method.on_gpu or not on_gpu]
    assert chosen(parse(Config, {"SCALE": scale}).methods) == wanted


def test_the_published_setting_is_the_papers() -> None:
    full = parse(Config, {"SCALE": "full"})
    assert (full.group_size, full.row_length, full.num_calibration) == (128, 2048, 128)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("GROUP_SIZE", "0"),
        ("ROW_LENGTH", "1"),
        ("NUM_CALIBRATION", "0"),
        ("NUM_COMPARED", "100000"),
        ("GPU_SHARE", "1.5"),
        ("GPU_SHARE", "0"),
        ("METHOD_MINUTES", "0"),
        ("SEED", "-1"),
        ("MODEL", "tiny-lama"),
        ("TEXT", "wikitext"),
        ("METHODS", "rtn_4,gptq_5"),
        ("METHODS", ""),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{key}={value.rpartition(',')[2]}"):
        parse(Config, {"SCALE": "tiny", key: value})


@pytest.mark.usefixtures("_empty")
def test_a_group_size_that_divides_no_layer_is_refused_before_any_work(base: str, tmp_path: Path) -> None:
    config = parse(Config, TINY | {"MODEL": base, "GROUP_SIZE": "64"})
    with pytest.raises(InputError, match=r"^GROUP_SIZE=64: rtn_4: model\.layers\.0\.mlp\.down_proj: 96 input features"):
        _check(chosen(config.methods), _setting(config))
    assert not (tmp_path / "cache").exists()


def _row(method: str, divergence: float | None) -> Row:
    values = {"method": method, "family": method, "bits": 4, "fingerprint": "f"}
    if divergence is None:
        return Row(**values, outcome=Outcome.FAILED, reason="none")  # type: ignore[arg-type]
    return Row(**values, outcome=Outcome.MEASURED, metrics={"kl_divergence": divergence})  # type: ignore[arg-type]


def test_metrics_bear_their_methods_names_and_a_failed_method_is_counted() -> None:
    rows = [_row("unquantized", 0.0), _row("rtn_4", 0.4), _row("gptq_4", 0.1), _row("awq_4", None)]
    rows += [_row("gptq_sym_4", 0.2)]
    assert _metrics(rows) == {
        "kl_divergence_unquantized": 0.0,
        "kl_divergence_rtn_4": 0.4,
        "kl_divergence_gptq_4": 0.1,
        "kl_divergence_gptq_sym_4": 0.2,
        "kl_ratio_gptq_to_rtn_4": 0.25,
        "kl_ratio_gptq_sym_to_rtn_4": 0.5,
        "failed_methods": 1,
        "kept_rows": 0,
    }


def test_the_gap_between_two_methods_is_compared_at_both_widths() -> None:
    divergences = {"gptq_4": 0.1, "rtn_4": 0.2, "gptq_3": 0.3, "rtn_3": 0.8}
    found = _metrics([_row(name, value) for name, value in divergences.items()])
    assert found["kl_ratio_gptq_to_rtn_3"] == pytest.approx(0.375)
    assert found["kl_gap_growth_gptq_to_rtn"] == pytest.approx(5)
