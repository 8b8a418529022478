from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError, UnreachableError
from jobs import hugginggpt
from jobs.experts import routing
from jobs.experts.expert_server import Execution
from jobs.experts.plan import Plan, to_lines
from jobs.experts.requests import Request, Shape, make_requests
from jobs.experts.routing import Routed
from jobs.hugginggpt import Config, main
from jobs.launch.folder import VARIABLE
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from jobs.serving.transformers import Transformers
from jobs.thinking.budget import SpentError
from jobs.thinking.journal import Journal
from tests.jobs.experts.conftest import CARDS
from tests.jobs.thinking.conftest import Answer, StandIn, serve

__all__ = ["serve"]

Serve = Callable[[Answer], StandIn]
SMALL = {"SCALE": "tiny", "NUM_REQUESTS": "2", "SERVED_MODEL": "made-up", "CONCURRENCY": "1"}
REQUESTS = make_requests(2, seed=0)
RULES = ("right", "unrouted", "keywords")


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_values_that_make_sense(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_requests >= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama"),
        ({"ENDPOINT": "127.0.0.1", "SERVED_MODEL": "m"}, "ENDPOINT=127.0.0.1: no URL of a server"),
        ({"ENDPOINT": "http://127.0.0.1:8000"}, "ENDPOINT, SERVED_MODEL: allowed: both or none"),
        ({"ENGINE": "magic"}, "ENGINE: 'magic'; allowed: vllm"),
        ({"WORDING": "poetic"}, "WORDING: 'poetic': allowed: trained, chat, base"),
        ({"MODELS_PER_REPLICA": "0"}, "MODELS_PER_REPLICA=0: must be 1 or more"),
        ({"MAX_STEPS": "17"}, "MAX_STEPS=17: must be at most 16"),
        ({"STEP_SECONDS": "0"}, "STEP_SECONDS=0.0: must be above 0"),
        ({"MACHINE": "abacus"}, "MACHINE: 'abacus' has no price in the catalog"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugginggpt, "engine_of", lambda _: Transformers(environment="nowhere"))
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder, and specialised models that are always right where they are the right ones."""
    by_plan = {repr(request.plan): request for request in REQUESTS}

    async def execute(_: Endpoint, plan: Plan, models: dict[int, str], *__: Any, **___: Any) -> Execution:
        request = by_plan.get(repr(plan))
        answers = dict(zip(plan.last, request.answers, strict=True)) if request else {}
        right = request is not None and models == request.models
        same = {"error": "", "replica": "r", "loaded": False, "begin": 0.0, "end": 1.0}
        steps = [
            {"id": step.id, "value": answers.get(step.id, "") if right else "wrong", **same} for step in plan.steps
        ]
        return Execution(steps=steps)

    @contextmanager
    def served(*_: Any) -> Iterator[Endpoint]:
        yield Endpoint(url="", model="", api_key=None)

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    monkeypatch.setattr(hugginggpt, "_served_experts", served)
    monkeypatch.setattr(hugginggpt, "_experts", lambda _: tmp_path)
    monkeypatch.setattr("jobs.experts.training.read_cards", lambda _: CARDS)
    monkeypatch.setattr(routing, "execute", execute)
    monkeypatch.setattr("jobs.experts.overlap.execute", execute)
    return tmp_path


def well(body: dict[str, Any]) -> list[str]:
    """What a perfect model of the lab's own writes."""
    request: Request = next(each for each in REQUESTS if body["prompt"].startswith(each.text))
    if body["prompt"].endswith("Plan:\n"):
        return [to_lines(request.plan)]
    return [f" {request.models[int(body['prompt'].rpartition(' ')[2].removesuffix(':'))]}"]


def test_a_good_model_is_measured_beside_rules_and_after_an_end_only_the_rest_is_asked(serve: Serve, run: Path) -> None:
    stand_in = serve(well)
    values = SMALL | {"ENDPOINT": stand_in.url}
    with pytest.raises(SpentError, match=r"^MAX_REQUESTS=5: spent"):
        hugginggpt._route(parse(Config, values | {"MAX_REQUESTS": "5"}))
    kept = Journal(path=run / "attempts.jsonl", kind=Routed).all()
    assert [each.method for each in kept] == [*(name for name in RULES for _ in REQUESTS), "model", "model"]
    assert "| language model | 2 | 100.0 % |" in (run / "table.md").read_text()
    metrics = hugginggpt._route(parse(Config, values))
    # Of the third request the plan was asked for and lost; all others once.
    assert len(stand_in.bodies) == 1 + sum(1 + len(each.plan.steps) for each in REQUESTS)
    assert metrics["success_model"] == metrics["routing_model"] == metrics["valid_model"] == 1
    assert metrics["success_right"] == 1 > metrics["success_unrouted"]
    assert metrics["speedup"] == metrics["success_model_graph"] == 1
    assert (run / "hugginggpt.png").exists()
    asked = len(stand_in.bodies)
    assert hugginggpt._route(parse(Config, values)) == metrics
    assert len(stand_in.bodies) == asked


def test_plans_that_are_none_are_counted_with_their_reason_and_asked_for_once(serve: Serve, run: Path) -> None:
    stand_in = serve(lambda _: ["I would look at the picture."])
    metrics = hugginggpt._route(parse(Config, SMALL | {"ENDPOINT": stand_in.url}))
    assert len(stand_in.bodies) == len(REQUESTS) == 2 * len(Shape)
    assert metrics["valid_model"] == metrics["success_model"] == 0
    assert metrics["no_plan_model"] == 1
    assert "selection_model" not in metrics
    kept = [each for each in Journal(path=run / "attempts.jsonl", kind=Routed).all() if each.method == "model"]
    assert {each.reason for each in kept} == {
        "plan: 'I would look at the picture.' is no step; allowed: such as `1 translation text=#0`"
    }


def test_a_model_that_knows_how_puts_the_right_answers_into_words(serve: Serve, run: Path) -> None:
    def telling(body: dict[str, Any]) -> list[str]:
        _, results, said = body["messages"][0]["content"].partition("Results:\n")
        return [said if results else "I would look at the picture."]

    stand_in = serve(telling)
    metrics = hugginggpt._route(parse(Config, SMALL | {"ENDPOINT": stand_in.url, "WORDING": "chat"}))
    assert len(stand_in.bodies) == 2 * len(REQUESTS)
    assert metrics["told_right"] == 1
    assert "told_model" not in metrics  # No plan of its own came to answers.
    assert "of 6 with the right plan's answers 100.0 %." in (run / "table.md").read_text()


def test_an_endpoint_that_is_not_there_ends_the_run_and_keeps_the_rules(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.thinking.client.WAIT_SECONDS", 0)
    with pytest.raises(UnreachableError, match=r"^http://127\.0\.0\.1:9: no connection: .*; asked 3 times$"):
        hugginggpt._route(parse(Config, SMALL | {"ENDPOINT": "http://127.0.0.1:9"}))
    text = (run / "table.md").read_text()
    assert "| keywords | 6 |" in text
    assert "| language model |" not in text


def test_an_endpoint_that_is_too_slow_is_given_up_by_name(serve: Serve, run: Path) -> None:
    import threading

    ending = threading.Event()
    stand_in = serve(lambda _: ["late"] if ending.wait(20) else [])
    try:
        with pytest.raises(UnreachableError, match=r": no answer within 0\.2 s$"):
            hugginggpt._route(parse(Config, SMALL | {"ENDPOINT": stand_in.url, "ANSWER_SECONDS": "0.2"}))
    finally:
        ending.set()
    assert "| keywords | 6 |" in (run / "table.md").read_text()
