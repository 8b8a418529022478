from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from clusterlab.errors import UnreachableError
from jobs.experts.cards import EXPERTS, candidates
from jobs.experts.controllers import Decision, Keywords, LanguageModel, Right, Unrouted
from jobs.experts.plan import to_json, to_lines
from jobs.experts.requests import Request, Shape
from jobs.experts.wording import Words
from jobs.serving.endpoint import Endpoint
from jobs.thinking.budget import SpentError
from jobs.thinking.client import Client
from jobs.thinking.wording import Wording
from tests.jobs.experts.conftest import CARDS
from tests.jobs.thinking.conftest import Answer, StandIn, budget, client_of, serve

__all__ = ["serve"]
Serve = Callable[[Answer], StandIn]


def decided(stand_in: StandIn, request: Request, wording: Wording = Wording.TRAINED, **limits: Any) -> Decision:
    words = Words(wording=wording)
    client = client_of(stand_in, chat=words.chat, limits=budget(**limits))
    return asyncio.run(LanguageModel(client=client, words=words, cards=CARDS, max_steps=8).decide(request))


def graph_of(requests: list[Request]) -> Request:
    return next(each for each in requests if each.shape is Shape.GRAPH and len(each.plan.steps) > 3)


def well(request: Request, body: dict[str, Any]) -> list[str]:
    """What a perfect model of the lab's own writes."""
    prompt = body["prompt"]
    if prompt.endswith("Plan:\n"):
        return [to_lines(request.plan)]
    return [f" {request.models[int(prompt.rpartition('Model ')[2].removesuffix(':'))]}"]


def test_it_is_asked_for_a_plan_and_then_for_the_model_of_each_step(serve: Serve, requests: list[Request]) -> None:
    request = graph_of(requests)
    stand_in = serve(lambda body: well(request, body))
    decision = decided(stand_in, request)
    assert decision.plan == request.plan
    assert decision.models == request.models
    assert decision.requests == len(stand_in.bodies) == 1 + len(request.plan.steps)
    assert decision.prompt_tokens == 5 * decision.requests
    assert decision.said[0] == to_lines(request.plan)
    assert stand_in.bodies[0]["prompt"].startswith(request.text)


@pytest.mark.parametrize("wording", [Wording.CHAT, Wording.BASE])
def test_a_model_that_was_not_trained_for_it_sees_tasks_examples_and_cards(
    serve: Serve, requests: list[Request], wording: Wording
) -> None:
    request = requests[0]

    def answer(body: dict[str, Any]) -> list[str]:
        prompt = body["messages"][0]["content"] if wording is Wording.CHAT else body["prompt"]
        if "Choose the model" not in prompt:
            assert "image-to-text(image): reads the sentence on a sign" in prompt
            return [f"Sure: {to_json(request.plan)}"]
        expert = EXPERTS[request.models[0]]
        assert all(json.dumps(each.name) in prompt for each in candidates(expert.task))
        assert expert.description in prompt
        return [json.dumps({"id": expert.name, "reason": "it fits"})]

    decision = decided(serve(answer), request, wording)
    assert decision.plan == request.plan
    assert decision.models == request.models


def test_a_chat_has_planned_other_requests_before(requests: list[Request]) -> None:
    words = Words(wording=Wording.CHAT)
    rules, *before, last = words.plan(requests[0]).messages
    assert rules["role"] == "system"
    assert [said["role"] for said in before] == ["user", "assistant"] * 3
    assert [len(words.steps(said["content"])) for said in before[1::2]] == [1, 3, 3]
    assert last == {"role": "user", "content": requests[0].text}


@pytest.mark.parametrize("said", ["I do not know.", "0 paint image=image-1", "0 translation text=#0", "[]", ""])
def test_what_is_no_plan_is_kept_with_its_reason_and_not_asked_for_again(
    serve: Serve, requests: list[Request], said: str
) -> None:
    stand_in = serve(lambda _: [said])
    decision = decided(stand_in, requests[0])
    assert decision.plan is None
    assert decision.problem.startswith("plan: ")
    assert decision.said == [said]
    assert decision.requests == len(stand_in.bodies) == 1


def test_a_step_whose_model_nobody_knows_has_none(serve: Serve, requests: list[Request]) -> None:
    request = graph_of(requests)
    plan_only = lambda body: well(request, body) if body["prompt"].endswith("Plan:\n") else [" gpt-9"]  # noqa: E731
    decision = decided(serve(plan_only), request)
    assert decision.plan == request.plan
    assert decision.models == {}


def test_no_more_is_asked_than_may_be(serve: Serve, requests: list[Request]) -> None:
    request = graph_of(requests)
    stand_in = serve(lambda body: well(request, body))
    with pytest.raises(SpentError, match=r"^MAX_REQUESTS=2: spent"):
        decided(stand_in, request, max_requests=2)
    assert len(stand_in.bodies) <= 2


def test_an_endpoint_that_is_not_there_is_named(requests: list[Request], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.thinking.client.WAIT_SECONDS", 0)
    nobody = Endpoint(url="http://127.0.0.1:9", model="made-up", api_key=None)
    client = Client(nobody, chat=False, limit_seconds=5, budget=budget())
    controller = LanguageModel(client=client, words=Words(wording=Wording.TRAINED), cards=CARDS, max_steps=8)
    with pytest.raises(UnreachableError, match=r"^http://127\.0\.0\.1:9: no connection: .*; asked 3 times$"):
        asyncio.run(controller.decide(requests[0]))


def test_rules_plan_what_is_told_and_miss_steps_that_are_not(requests: list[Request]) -> None:
    decisions = [asyncio.run(Keywords(max_steps=8).decide(each)) for each in requests]
    right = [
        decision.plan is not None and decision.plan.meaning == each.plan.meaning
        for decision, each in zip(decisions, requests, strict=True)
    ]
    by_shape = {
        shape: [one for one, each in zip(right, requests, strict=True) if each.shape is shape] for shape in Shape
    }
    assert sum(by_shape[Shape.SINGLE]) >= 8
    assert sum(by_shape[Shape.SEQUENTIAL]) + sum(by_shape[Shape.GRAPH]) <= 12
    named = [decision.models for decision in decisions if decision.plan is not None]
    assert all(name in EXPERTS for models in named for name in models.values())


def test_what_is_right_is_right_and_unrouted_has_the_plan_with_any_models(requests: list[Request]) -> None:
    for request in requests:
        assert asyncio.run(Right().decide(request)).models == request.models
        decision = asyncio.run(Unrouted(seed=0).decide(request))
        assert decision.plan == request.plan
        assert all(EXPERTS[decision.models[step.id]].task == step.task for step in request.plan.steps)
        assert asyncio.run(Unrouted(seed=0).decide(request)) == decision
    drawn = [asyncio.run(Unrouted(seed=0).decide(each)).models == each.models for each in requests]
    assert 0 < sum(drawn) < len(requests) / 2
