from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from jobs import reasoning
from jobs.launch.folder import VARIABLE
from jobs.reasoning import Config, main
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.transformers import Transformers
from jobs.thinking.budget import SpentError
from jobs.thinking.journal import Attempt, Journal
from tests.jobs.thinking.conftest import Answer, StandIn, serve

__all__ = ["serve"]

SMALL = {"SCALE": "tiny", "NUM_QUESTIONS": "3", "NUM_PUZZLES": "1", "SAMPLES": "2", "SERVED_MODEL": "made-up"}


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_values_that_make_sense(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_questions >= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama"),
        ({"ENDPOINT": "127.0.0.1", "SERVED_MODEL": "m"}, "ENDPOINT=127.0.0.1: no URL of a server"),
        ({"ENDPOINT": "http://127.0.0.1:8000"}, "ENDPOINT, SERVED_MODEL: allowed: both or none"),
        ({"ENGINE": "magic"}, "ENGINE: 'magic'; allowed: vllm"),
        ({"WORDING": "poetic"}, "WORDING: 'poetic': allowed: trained, chat, base"),
        ({"SAMPLES": "1"}, "SAMPLES=1: must be 2 or more"),
        ({"NUM_PUZZLES": "101"}, "NUM_PUZZLES=101: must be at most 100"),
        ({"MIN_CHANGES": "8"}, "MAX_CHANGES=7: must be 8 or more"),
        ({"MAX_CHANGES": "9"}, "MAX_CHANGES=9: must be at most 8"),
        ({"TEMPERATURE": "0"}, "TEMPERATURE=0.0: must be above 0"),
        ({"MAX_USD": "0"}, "MAX_USD=0.0: must be above 0"),
        ({"MACHINE": "abacus"}, "MACHINE: 'abacus' has no price in the catalog"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasoning, "engine_of", lambda _: Transformers(environment="nowhere"))
    config = parse(Config, {"SCALE": "tiny", "MODEL": "tiny-llama"})
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(config)


def test_an_endpoint_is_asked_every_way_and_after_an_end_only_the_rest(
    serve: Callable[[Answer], StandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    stand_in = serve(lambda body: [" 1 + 1 = 2\nAnswer: 7"] * body["n"])
    values = SMALL | {"ENDPOINT": stand_in.url, "CONCURRENCY": "1"}
    with pytest.raises(SpentError, match=r"MAX_REQUESTS=5: spent"):
        reasoning._think(parse(Config, values | {"MAX_REQUESTS": "5"}))
    kept = Journal(path=tmp_path / "attempts.jsonl", kind=Attempt).all()
    assert [(attempt.method, attempt.problem) for attempt in kept] == [
        *(("direct", number) for number in range(3)),
        *(("cot", number) for number in range(2)),
    ]
    assert "word problems: answer at once | 3 |" in (tmp_path / "table.md").read_text()
    metrics = reasoning._think(parse(Config, values))
    asked = len(stand_in.bodies)
    assert asked == 5 + 1 + 3 + 1 + 1 + 1
    assert metrics["accuracy_game24_tot_bfs"] == 0
    assert (tmp_path / "reasoning.png").exists()
    assert reasoning._think(parse(Config, values)) == metrics
    assert len(stand_in.bodies) == asked
