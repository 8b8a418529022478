from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clusterlab.config import Scale, parse
from clusterlab.errors import ClusterlabError, InputError, MissingError, UnreachableError
from jobs import multimodal
from jobs.launch.folder import VARIABLE
from jobs.multimodal import Config, main
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.vllm import Vllm
from jobs.thinking.journal import Journal
from jobs.vision.views import Answered, View
from tests.jobs.thinking.conftest import Answer, StandIn, serve

__all__ = ["serve"]

Serve = Callable[[Answer], StandIn]


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_values_that_make_sense(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_problems >= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: shapes, a folder, or org/name@<40-hex revision>"),
        (
            {"MODEL": "tests", "SERVE": "false"},
            "SERVE=false: tests is asked behind a port; allowed: SERVE=true, or an ENDPOINT",
        ),
        ({"ENDPOINT": "http://127.0.0.1:8000"}, "ENDPOINT, SERVED_MODEL: allowed: both or none"),
        ({"PICTURES": "tests"}, "PICTURES=tests: allowed: a folder with questions.jsonl"),
        ({"NUM_PROBLEMS": "7"}, "NUM_PROBLEMS=7: must be 8 or more"),
        ({"HIDDEN_SIZE": "48"}, "HIDDEN_SIZE=48: allowed: a multiple of 32"),
        ({"STEPS": "0"}, "STEPS=0: must be 1 or more"),
        ({"ANSWER_SECONDS": "0"}, "ANSWER_SECONDS=0.0: must be above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_vllm_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multimodal, "engine_of", lambda _: Vllm(environment="nowhere"))
    message = "SERVE=true: .venv/nowhere: not there; `make env-nowhere` makes it; SERVE=false of `shapes` does without"
    with pytest.raises(MissingError, match=re.escape(message)):
        main(parse(Config, {"SCALE": "tiny"}))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder, and no tokens to count."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    (tmp_path / "run" / "parts").mkdir(parents=True)
    names = ("one tile", "two by two tiles", "photo, 3:2")
    row = {"size": [336, 336], "grid": [1, 2], "base": 576, "patches": [24, 24]}
    rows = [{"name": name, **row, "formula": 1176, "processor": 1176, "model": 1176} for name in names]
    (tmp_path / "run" / "parts" / "tokens.json").write_text(json.dumps({"published": rows, "made": []}))
    return tmp_path / "run"


def config(server: StandIn, **values: str) -> Config:
    given = {"SCALE": "tiny", "NUM_PROBLEMS": "8", "ENDPOINT": server.url, "SERVED_MODEL": "made-up"}
    return parse(Config, given | {"CONCURRENCY": "1"} | values)


def test_a_server_that_never_looks_is_found_out(serve: Serve, run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    asked = {"picture": "a.png", "question": "What colour is it?", "answer": "red"}
    (tmp_path / "questions.jsonl").write_text(json.dumps(asked) + "\n")
    server = serve(lambda _: ["It is red, and left of two circles."])
    metrics = multimodal._look(config(server, SCALE="single", PICTURES=str(tmp_path)))
    assert metrics["gain_looks"] == metrics["gain_tiles"] == 0
    assert metrics["accuracy_own"] == 1
    assert len(server.bodies) == 8 * len(View) + 1
    assert "| own pictures | 1 | 100.0 % |" in (run / "table.md").read_text()
    assert (run / "multimodal.png").exists()
    texts = [body["messages"][0]["content"][1]["text"] for body in server.bodies]
    assert all("Answer with one word: " in text for text in texts[:-1])
    assert texts[-1] == "What colour is it?"


def test_a_run_goes_on_after_the_last_answer(serve: Serve, run: Path) -> None:
    def answer(_: dict[str, Any]) -> Any:
        return ["left"] if len(server.bodies) <= 11 else (400, {"error": "no more"})

    server = serve(answer)
    with pytest.raises(ClusterlabError, match="no more"):
        multimodal._look(config(server))
    journal = Journal(path=run / "answers.jsonl", kind=Answered)
    assert len(journal.all()) == 11
    other = serve(lambda _: ["right"])
    multimodal._look(config(other))
    assert len(other.bodies) == 8 * len(View) - 11
    assert len(journal.all()) == 8 * len(View)


@pytest.mark.usefixtures("run")
def test_an_endpoint_that_is_not_there_is_told() -> None:
    with pytest.raises(UnreachableError, match="no connection"):
        multimodal._look(config(StandIn(answer=lambda _: [], url="http://127.0.0.1:9")))
