from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs.int8_outliers import MIGRATIONS, Config, _measure
from jobs.launch.folder import VARIABLE

SHORT = {"SCALE": "tiny", "NUM_CALIBRATION": "4", "NUM_EVALUATION": "4", "ROW_LENGTH": "64", "MAX_MAGNITUDE": "64"}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run at `tiny`: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("short")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _measure(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).magnitudes[0] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"THRESHOLD": "0"},
        {"NUM_OUTLIERS": "0"},
        {"MAX_MAGNITUDE": "8"},
        {"MAX_MAGNITUDE": "0"},
        {"MIGRATION": "1.5"},
        {"ROW_LENGTH": "-1"},
        {"SEED": "-1"},
        {"MODEL": "tiny-lama"},
        {"TEXT": "wikitext"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(given))):
        parse(Config, {"SCALE": "tiny"} | given)


def test_more_outliers_than_channels_are_refused_before_any_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="NUM_OUTLIERS=192: must be below the 192 channels of tiny-llama"):
        _measure(parse(Config, SHORT | {"NUM_OUTLIERS": "192"}))


def test_planting_changes_nothing_and_is_found(short: tuple[Path, dict[str, float]]) -> None:
    _, metrics = short
    assert metrics["planted_logit_gap"] == 0
    assert metrics["smoothed_logit_gap"] < 1e-3
    assert metrics["outlier_features"] == 2 + metrics["natural_outlier_features"]
    assert metrics["max_activation"] > 16 * metrics["natural_max_activation"]


def test_outliers_ruin_int8_and_both_remedies_hold(short: tuple[Path, dict[str, float]]) -> None:
    _, metrics = short
    assert metrics["vectorwise_kl"] > 10 * metrics["natural_vectorwise_kl"]
    assert metrics["llm_int8_kl"] < 2 * metrics["natural_llm_int8_kl"]
    assert metrics["smoothquant_kl"] == pytest.approx(metrics["natural_smoothquant_kl"], rel=0.05)
    assert metrics["llm_int8_gain"] == metrics["vectorwise_kl"] / metrics["llm_int8_kl"]
    assert metrics["columns_kept"] > metrics["natural_columns_kept"]
    assert metrics["best_migration"] in MIGRATIONS


def test_the_table_has_a_row_for_each_form_and_magnitude_and_for_each_strength(
    short: tuple[Path, dict[str, float]],
) -> None:
    folder, metrics = short
    head, rule, unquantized, *rows = (folder / "outliers.md").read_text().splitlines()
    assert {line.count("|") for line in (head, rule, unquantized, *rows)} == {8}
    assert len(rows) == 4 * 4 + len(MIGRATIONS) - 1
    assert unquantized.split("|")[-2].strip() == f"{metrics['perplexity']:.4g}"
    assert sum("SmoothQuant" in row and "| 64 x |" in row for row in rows) == len(MIGRATIONS)


def test_a_line_is_reported_for_each_measurement_and_a_picture_is_drawn(short: tuple[Path, dict[str, float]]) -> None:
    folder, _ = short
    steps = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    measured = [row for row in steps if row["phase"] == "measure"]
    assert [row["step"] for row in measured] == list(range(1, measured[0]["steps"] + 1))
    assert (folder / "outliers.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_question_asked_twice_gives_the_same_metrics(
    short: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert _measure(parse(Config, SHORT)) == short[1]
