from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel

from clusterlab.config import Scale, Source, parse
from clusterlab.errors import InputError
from jobs.adapter_mixture import Config, _train
from jobs.launch.finished import Finished
from jobs.launch.folder import VARIABLE
from jobs.llm.bases import Base
from jobs.tuning import mixture
from jobs.tuning.mixture_report import draw_ways, ways_table

SHORT = {
    "SCALE": "tiny",
    "TASKS": "capital,past",
    "STEPS": "6",
    "CHECKPOINT_EVERY": "3",
    "NUM_EVAL": "3",
    "MERGES": "linear,ties",
    "XLORA_STEPS": "3",
}
WAYS = ["base", "own", "routed", "xlora", "linear", "ties", "joint"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run at `tiny`: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _train(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).steps > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"TASKS": "capital,capitol"}, "TASKS=capital,capitol: allowed: 2 or more of opposite, capital, plural"),
        ({"TASKS": "capital"}, "TASKS=capital: allowed: 2 or more of"),
        ({"TASKS": "past,past"}, "TASKS=past,past: allowed: 2 or more of"),
        (
            {"MERGES": "linear,slerp"},
            "MERGES=linear,slerp: allowed: 1 or more of linear, cat, ties, dare_linear, dare_",
        ),
        ({"MERGE_DENSITY": "1.1"}, "MERGE_DENSITY=1.1: must be at most 1"),
        ({"MERGE_DENSITY": "0"}, "MERGE_DENSITY=0.0: must be above 0"),
        ({"XLORA_STEPS": "0"}, "XLORA_STEPS=0: must be above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(Config, {"SCALE": "tiny"} | given)
    assert message in str(refused.value)


def test_a_task_with_too_few_facts_is_refused_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(Base, "of", lambda *_: pytest.fail("work"))
    with pytest.raises(InputError, match="NUM_EVAL=15: TASKS has young, of 18 facts; allowed: at most 9"):
        _train(parse(Config, {"SCALE": "tiny", "TASKS": "past,young"}))


def test_the_record_has_every_way(run: tuple[Path, dict[str, float]]) -> None:
    metrics = run[1]
    assert {name for name in metrics if name.endswith("_exact_match")} == {f"{way}_exact_match" for way in WAYS}
    assert metrics["mixed_batch_agreement"] == 1
    assert 0.5 < metrics["router_accuracy"] <= 1


def test_all_that_was_saved_loads_in_peft(run: tuple[Path, dict[str, float]]) -> None:
    base = Base.of(Source("tiny-llama"), lambda *_: None)
    for name in ("capital", "past", "joint", "linear", "ties"):
        model = PeftModel.from_pretrained(base.load(quantized=False), run[0] / "tuned" / name)
        assert any("lora_A" in name for name, _ in model.named_parameters())


class _GoneError(Exception):
    """The machine was taken away."""


def test_a_run_that_was_interrupted_repeats_no_finished_part(
    run: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    answered = mixture.Mixture.answered

    def interrupted(*_: Any, **__: Any) -> dict[str, Any]:
        raise _GoneError

    monkeypatch.setattr(mixture.Mixture, "answered", interrupted)
    with pytest.raises(_GoneError):
        _train(parse(Config, SHORT))
    monkeypatch.setattr(mixture.Mixture, "answered", answered)
    monkeypatch.setattr("jobs.tuning.trial.tried", lambda *_: pytest.fail("trained again"))
    again = _train(parse(Config, SHORT))
    same = [name for name in again if name != "mixed_batch_speedup"]
    assert {name: again[name] for name in same} == {name: run[1][name] for name in same}


def test_the_table_and_the_picture_have_every_way_and_task(run: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    parts = Finished(folder=run[0] / "parts")
    ways = parts.read("ways")["exact_match"] | {"xlora": parts.read("xlora")}
    table = ways_table(ways, ["capital", "past"])
    assert len(table.splitlines()) == 2 + len(WAYS)
    draw_ways(ways, ["capital", "past"], "a title", tmp_path / "mixture.png")
    assert (tmp_path / "mixture.png").read_bytes().startswith(b"\x89PNG")
