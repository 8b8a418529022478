from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS
from jobs import quantization_bias
from jobs.bias import witness
from jobs.compress.methods import Method
from jobs.launch.folder import VARIABLE
from jobs.llm.cache import VARIABLE as CACHE_VARIABLE
from jobs.quantization_bias import Config, _measure

SHORT = {"SCALE": "tiny", "NUM_QUESTIONS": "160", "METHODS": "rtn_8,rtn_2"}
FORMS = ("unquantized", "rtn_8", "rtn_2")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run with a model that had few lessons: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("short")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        patch.setattr(witness, "Witness", partial(witness.Witness, steps=30))
        return folder, _measure(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_values_that_make_sense(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_questions >= 320


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama"),
        ({"QUESTIONS": "bbq"}, "QUESTIONS=bbq: allowed: world, shipped, or a folder with BBQ's *.jsonl"),
        ({"QUESTIONS": "shipped"}, "QUESTIONS=shipped: MODEL=witness knows the words of world alone"),
        ({"METHODS": "gptq_4"}, "METHODS=gptq_4: unknown; allowed: all, gpu, or of unquantized, rtn_8"),
        ({"METHODS": "nf4,nf4"}, "METHODS=nf4,nf4: each may be there once"),
        ({"NUM_QUESTIONS": "0"}, "NUM_QUESTIONS=0: must be 1 or more"),
        ({"GROUP_SIZE": "-1"}, "GROUP_SIZE=-1: must be 1 or more"),
        ({"THREADS": "0"}, "THREADS=0: must be 1 or more"),
        ({"SEED": "-1"}, "SEED=-1: must be 0 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_every_form_has_its_metrics_and_what_was_planted_is_measured_like_them(
    short: tuple[Path, dict[str, float]],
) -> None:
    _, metrics = short
    for metric in ("accuracy", "flips", "s_amb", "s_dis", "gap", "ece", "kl", "kl_planted"):
        assert {f"{metric}_{form}" for form in (*FORMS, "planted")} <= metrics.keys()
    assert metrics["flips_unquantized"] == metrics["kl_unquantized"] == metrics["kl_planted_planted"] == 0
    assert metrics["kl_rtn_8"] < metrics["kl_rtn_2"]
    assert metrics["bits_rtn_8"] > metrics["bits_rtn_2"]
    assert metrics["s_amb_planted"] > 0.3


def test_table_picture_and_every_answer_are_written(short: tuple[Path, dict[str, float]]) -> None:
    folder, metrics = short
    table = (folder / "table.md").read_text()
    assert table.startswith("witness, 160 questions (world), seed 0.\n")
    assert sum(line.startswith("| RTN, 2 bits |") for line in table.splitlines()) == 3
    parts = [part.splitlines() for part in re.split(r"\n\n", table) if part.startswith("|")]
    assert [{line.count("|") for line in lines} for lines in parts] == [{14}, {15}, {6}]
    assert f"| {100 * metrics['accuracy_rtn_2']:.1f} % |" in table
    assert (folder / "bias.png").read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 160
    for form in FORMS:
        right = sum(line["answers"][form] == line["right"] for line in lines) / len(lines)
        assert right == pytest.approx(metrics[f"accuracy_{form}"])
        assert all(sum(line["shares"][form]) == pytest.approx(1, abs=1e-3) for line in lines)


def test_a_line_is_reported_for_each_form(short: tuple[Path, dict[str, float]]) -> None:
    folder, _ = short
    steps = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    assert [row["step"] for row in steps if row["phase"] == "ask"] == [1, 2, 3]
    assert {row["phase"] for row in steps} == {"pretrain", "ask"}


def test_a_run_that_goes_on_asks_only_the_form_that_is_not_finished(
    short: tuple[Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, metrics = short
    asked, part = list[str](), folder / "parts" / "rtn_2.json"
    kept = json.loads(part.read_text())
    part.unlink()

    def answered(method: Method, *_: object) -> dict[str, Any]:
        asked.append(method.name)
        return dict(kept)

    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setattr(quantization_bias, "_inputs", lambda _: None)
    monkeypatch.setattr(quantization_bias, "_answered", answered)
    assert _measure(parse(Config, SHORT)) == metrics
    assert asked == ["rtn_2"]
