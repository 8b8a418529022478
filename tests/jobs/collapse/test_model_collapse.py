from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs.collapse.lineage import Lineage
from jobs.collapse.regime import Regime
from jobs.launch.folder import VARIABLE
from jobs.llm.bases import Base
from jobs.model_collapse import Config, _collapse

SHORT = {
    "SCALE": "tiny",
    "GENERATIONS": "2",
    "ROW_LENGTH": "8",
    "NUM_TRAIN": "16",
    "NUM_EVALUATION": "8",
    "EPOCHS": "3",
    "BATCH_SIZE": "8",
    "LEARNING_RATE": "0.01",
    "TOY_GENERATIONS": "6",
    "NUM_REPEATS": "500",
    "NUM_WORDS": "50",
    "NUM_TOKENS": "200",
}


@pytest.fixture(scope="module")
def asked(small_model: Path, small_text: Path) -> Config:
    return parse(Config, SHORT | {"MODEL": str(small_model), "TEXT": str(small_text)})


@pytest.fixture(scope="module")
def run(asked: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _collapse(asked)


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert Regime.REPLACE in parse(Config, {"SCALE": scale}).chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"KEEP": "1.5"}, "KEEP=1.5: must be at most 1"),
        ({"KEEP": "-0.1"}, "KEEP=-0.1: must be 0 or more"),
        ({"GENERATIONS": "0"}, "GENERATIONS=0: must be 1 or more"),
        ({"ROW_LENGTH": "3"}, "ROW_LENGTH=3: must be 4 or more"),
        ({"LEARNING_RATE": "0"}, "LEARNING_RATE=0.0: must be above 0"),
        ({"REGIMES": "replace,forget"}, "REGIMES=replace,forget: allowed: replace, keep, accumulate"),
        ({"REGIMES": "keep,keep"}, "REGIMES=keep,keep: allowed: replace, keep, accumulate, each once"),
        ({"MODEL": "tiny-lama"}, "MODEL=tiny-lama: allowed: tiny-llama"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(Config, {"SCALE": "tiny"} | given)
    assert message in str(refused.value)


def test_rows_that_the_model_cannot_go_on_with_are_refused_before_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(Base, "of", lambda *_: pytest.fail("work"))
    with pytest.raises(InputError, match="ROW_LENGTH=257: tiny-llama takes 512 tokens; allowed: at most 256"):
        _collapse(parse(Config, SHORT | {"ROW_LENGTH": "257"}))
    assert not list(tmp_path.iterdir())


def test_a_text_with_too_few_rows_is_refused_by_the_name_of_the_env(
    small_model: Path, small_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    given = {"MODEL": str(small_model), "TEXT": str(small_text), "NUM_TRAIN": "5000"}
    with pytest.raises(InputError, match=r"NUM_TRAIN=5000: .* has \d+ rows of 8 tokens for that"):
        _collapse(parse(Config, SHORT | given))


def test_the_metrics_are_of_the_last_generation(run: tuple[Path, dict[str, float]]) -> None:
    folder, metrics = run
    first = json.loads((folder / "parts" / "first.json").read_text())
    for regime in Regime:
        last = json.loads((folder / "parts" / f"{regime}-2.json").read_text())
        assert metrics[f"{regime}_perplexity"] == last["perplexity"]
        assert metrics[f"{regime}_growth"] == last["perplexity"] / first["perplexity"]
    assert metrics["first_perplexity"] == first["perplexity"] != metrics["base_perplexity"]
    assert metrics["gaussian_gap"] < 5
    assert metrics["words_replace_known"] < metrics["words_keep_known"] < metrics["words_accumulate_known"]


def test_a_line_is_reported_for_each_generation_and_table_and_picture_are_made(
    run: tuple[Path, dict[str, float]],
) -> None:
    folder, _ = run
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    generations = [row for row in rows if row["phase"] == "generation"]
    assert [row["step"] for row in generations] == list(range(1, 1 + 1 + 3 * 2))
    assert {row["steps"] for row in generations} == {7}
    table = (folder / "collapse.md").read_text()
    assert table.count("| only generated data | 2 |") == 2
    assert table.count("- a share of real data kept, generation") == 3
    assert (folder / "collapse.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "checkpoints").exists()


class _GoneError(Exception):
    """The machine was taken away."""


def test_a_run_that_was_interrupted_repeats_no_generation_and_ends_the_same(
    asked: Config, run: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    generation = Lineage.generation
    born: list[object] = []

    def interrupted(lineage: Lineage, regime: Regime, number: int) -> dict[str, Any]:
        if len(born) == 2:
            born.append(None)
            raise _GoneError
        born.append((regime, number))
        return generation(lineage, regime, number)

    monkeypatch.setattr(Lineage, "generation", interrupted)
    with pytest.raises(_GoneError):
        _collapse(asked)
    assert _collapse(asked) == run[1]
    assert born == [
        ("replace", 0), ("replace", 1), None, ("replace", 2),
        ("keep", 1), ("keep", 2), ("accumulate", 1), ("accumulate", 2),
    ]  # fmt: skip
