"""One small application of the real Ray Serve: two replicas that share three models, and plans over them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.errors import ClusterlabError, UnreachableError
from jobs.experts.cards import EXPERTS
from jobs.experts.expert_server import PATH, Execution, ExpertServer, execute
from jobs.experts.plan import Plan, checked, parse_lines
from jobs.experts.requests import Resource
from jobs.experts.sentences import ENGLISH, MAX_WORDS, TAVI, sentences
from jobs.experts.tasks import Kind
from jobs.experts.training import train_all
from jobs.serving.endpoint import Endpoint
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings
from tests.jobs.serving.asking import ask
from tests.jobs.serving.conftest import mark_of_module

__all__ = ["mark_of_module"]

NAMES = ("tavi", "moods", "same-words")
FIRST, SECOND = (each for each in sentences(held_out=False)[:2])
RESOURCES = {
    "text-1": Resource(kind=Kind.TEXT, value=FIRST.text(TAVI)),
    "text-2": Resource(kind=Kind.TEXT, value=SECOND.text(ENGLISH)),
}
LINES = (
    "0 translation text=text-1\n1 text-classification text=#0\n2 text-classification text=text-2\n"
    "3 sentence-similarity text=#1 text2=#2\n"
)
MODELS = {0: "tavi", 1: "moods", 2: "moods", 3: "same-words"}


def plan_of(text: str) -> Plan:
    return checked(parse_lines(text), {name: each.kind for name, each in RESOURCES.items()}, 8)


@pytest.fixture(scope="module")
def endpoint(mark_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    assert mark_of_module
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experts")
    train_all(folder, {name: EXPERTS[name] for name in NAMES}, lambda *_: None)
    engine = ExpertServer(replicas=2, max_models=1, max_steps=4, limit_seconds=60)
    settings = ServerSettings(model=str(folder), served_name="experts", max_model_len=MAX_WORDS, max_slots=4)
    with serving(engine, settings, log=folder / "log", limit_seconds=400) as endpoint:
        yield endpoint


def executed(endpoint: Endpoint, text: str, models: dict[int, str], **values: Any) -> Execution:
    return asyncio.run(execute(endpoint, plan_of(text), models, RESOURCES, limit_seconds=120, **values))


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_plan_is_carried_out_by_the_models_that_it_names(endpoint: Endpoint, *, one_by_one: bool) -> None:
    execution = executed(endpoint, LINES, MODELS, one_by_one=one_by_one)
    same = "same" if FIRST.mood == SECOND.mood else "different"
    assert [step["value"] for step in execution.steps] == [FIRST.text(ENGLISH), FIRST.mood, SECOND.mood, same]
    assert execution.answers(plan_of(LINES)) == [same]
    assert execution.errors == []
    assert execution.seconds > 0
    if one_by_one:
        assert execution.busy_seconds <= execution.seconds


def test_a_replica_holds_as_many_models_as_it_may_and_keeps_the_last(endpoint: Endpoint) -> None:
    lines = "0 text-classification text=text-2\n"
    again = [executed(endpoint, lines, {0: "moods"}).steps[0] for _ in range(6)]
    # By the second time each of two replicas may have it; from then on nothing is loaded.
    assert sum(step["loaded"] for step in again) <= 2
    replicas = {step["replica"] for step in again}
    assert 1 <= len(replicas) <= 2
    # Three models in two places: one has to be loaded again.
    rounds = [executed(endpoint, LINES, MODELS) for _ in range(3)]
    assert sum(step["loaded"] for execution in rounds for step in execution.steps) >= 3


def test_a_step_fails_with_those_that_wait_for_it_and_the_rest_is_there(endpoint: Endpoint) -> None:
    execution = executed(endpoint, LINES, {0: "moru", 1: "moods", 2: "moods", 3: "same-words"})
    assert execution.steps[0]["value"] is None  # There are no weights of it in the folder.
    assert [step["error"] for step in execution.steps[1:]] == ["step 0 failed", "", "step 1 failed"]
    assert execution.steps[2]["value"] == SECOND.mood
    assert executed(endpoint, LINES, {0: "tavi"}).errors == [
        *("step 1: no model was chosen", "step 2: no model was chosen", "step 3: step 1 failed")
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"plan": "[]"}, "plan: 0 steps; allowed: 1 to 4"),
        ({"plan": "no list"}, "plan: 'no list' has no list; allowed: a JSON list of steps"),
        ({"resources": {"text-1": [[1, 2]]}}, "resources: text-1: allowed: a text, or 24 rows of 32 numbers"),
        ({"resources": {"text-1": {"a": 1}}}, "resources: text-1: allowed: a text, or 24 rows of 32 numbers"),
        ({"resources": []}, "resources: allowed: texts and images by name"),
        ({"resources": {}}, "plan: step 0: text: 'text-1' is not given; allowed: "),
        ({"models": {"0": "moods"}}, "models: step 0: 'moods'; allowed: tavi, moru, languages-quick"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_model_is_asked(
    endpoint: Endpoint, changed: dict[str, Any], message: str
) -> None:
    plan = [{"task": "translation", "id": 0, "dep": [-1], "args": {"text": "text-1"}}]
    body = {"plan": json.dumps(plan), "models": {"0": "tavi"}, "resources": {"text-1": "vasi"}} | changed
    status, said = ask(endpoint, PATH, body)
    assert status == 400
    assert message in said["error"]["message"]


def test_nobody_is_let_in_without_the_key_and_a_refusal_is_told(endpoint: Endpoint) -> None:
    assert ask(endpoint, PATH, {}, key=False)[0] == 401
    with pytest.raises(ClusterlabError, match=r"status 400: .*models: step 0: 'moods'; allowed: tavi"):
        executed(endpoint, "0 translation text=text-1\n", {0: "moods"})


def test_models_that_are_gone_are_named() -> None:
    nobody = Endpoint(url="http://127.0.0.1:9", model="experts", api_key=None)
    with pytest.raises(UnreachableError, match=r"^http://127\.0\.0\.1:9: the specialised models give no answer: "):
        executed(nobody, LINES, MODELS)


def test_the_server_is_told_what_it_may_hold(tmp_path: Path) -> None:
    engine = ExpertServer(replicas=3, max_models=2, max_steps=8, limit_seconds=1.5)
    settings = ServerSettings(model=str(tmp_path), served_name="experts", max_model_len=MAX_WORDS, max_slots=4)
    assert engine.command(settings, 8000)[1:] == [
        *("jobs.experts.server", str(tmp_path), "--port=8000", "--replicas=3"),
        *("--max-models=2", "--max-steps=8", "--max-ongoing=4", "--limit-seconds=1.5"),
    ]
