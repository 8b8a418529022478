from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.errors import ClusterlabError, InputError, UnreachableError
from jobs.serving.endpoint import Endpoint
from jobs.thinking import client as client_module
from jobs.thinking.budget import SpentError
from jobs.thinking.client import TRIES, Asked, Client, Reply, TooLongError
from tests.jobs.thinking.conftest import Answer, StandIn, budget, client_of

Serve = Callable[[Answer], StandIn]
ASKED = Asked(prompt="1 + 1 =", max_tokens=3)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "WAIT_SECONDS", 0.01)


def _late(_: dict[str, Any]) -> list[str]:
    time.sleep(1)
    return ["2"]


def _ask(client: Client, asked: Asked = ASKED) -> Reply:
    return asyncio.run(client.ask(asked))


def test_all_answers_to_a_prompt_are_asked_for_at_once(serve: Serve) -> None:
    stand_in = serve(lambda body: [f"{number}" for number in range(body["n"])])
    reply = _ask(client_of(stand_in), Asked(prompt="?", max_tokens=3, num_answers=4, temperature=0.7, stop=("\n",)))
    assert reply == Reply(texts=("0", "1", "2", "3"), prompt_tokens=5, new_tokens=12)
    (body,) = stand_in.bodies
    assert (body["path"], body["n"], body["stop"], body["prompt"]) == ("/v1/completions", 4, ["\n"], "?")


def test_a_chat_is_asked_by_messages(serve: Serve) -> None:
    stand_in = serve(lambda _: ["2"])
    assert _ask(client_of(stand_in, chat=True)).texts == ("2",)
    assert stand_in.bodies[0]["path"] == "/v1/chat/completions"
    assert stand_in.bodies[0]["messages"] == [{"role": "user", "content": "1 + 1 ="}]


def test_an_endpoint_that_is_down_is_named_after_some_tries() -> None:
    nobody = Endpoint(url="http://127.0.0.1:9", model="m", api_key=None)
    spent = budget()
    with pytest.raises(UnreachableError, match=rf"127.0.0.1:9: no connection: .*; asked {TRIES} times"):
        _ask(Client(nobody, chat=False, limit_seconds=5, budget=spent))
    assert spent.requests == TRIES


def test_an_endpoint_that_is_slow_is_given_up_in_time(serve: Serve) -> None:
    stand_in = serve(_late)
    with pytest.raises(UnreachableError, match=r"no answer within 0.1 s"):
        _ask(client_of(stand_in, seconds=0.1))
    assert len(stand_in.bodies) == 1


def test_what_may_pass_is_asked_again(serve: Serve) -> None:
    said: list[Any] = [(503, {"error": "busy"}), b"<html>", ["2"]]
    assert _ask(client_of(serve(lambda _: said.pop(0)))).texts == ("2",)


@pytest.mark.parametrize(
    "said",
    [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"text": null}], "usage": {}}', ["one", "too many"]],
)
def test_a_malformed_reply_ends_it_with_what_was_said(serve: Serve, said: Any) -> None:
    stand_in = serve(lambda _: said)
    with pytest.raises(UnreachableError, match=rf"no completion of OpenAI's protocol: b'.*'; asked {TRIES} times"):
        _ask(client_of(stand_in))
    assert len(stand_in.bodies) == TRIES


@pytest.mark.parametrize(
    ("status", "error", "raised", "told"),
    [
        (
            400,
            "the model has no chat template",
            InputError,
            r"made-up has no chat template; allowed with it: WORDING=tr",
        ),
        (401, "who is it?", InputError, r"status 401: .*who is it"),
        (404, "no such model", InputError, r"status 404: .*no such model"),
        (400, "too hot", ClusterlabError, r"refused with status 400: .*too hot"),
        (400, "This model's maximum context length is 8192 tokens.", TooLongError, r"maximum context length is 8192"),
        (400, "90 tokens of the prompt and 9 of the answer; allowed: 64", TooLongError, r"of the answer; allowed: 64"),
        (500, "broken", ClusterlabError, r"refused with status 500: .*broken"),
    ],
)
def test_a_refusal_is_asked_once_and_told(
    serve: Serve, status: int, error: str, raised: type[ClusterlabError], told: str
) -> None:
    stand_in = serve(lambda _: (status, {"error": {"message": error}}))
    with pytest.raises(raised, match=told):
        _ask(client_of(stand_in, chat=True))
    assert len(stand_in.bodies) == 1


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_requests": 2}, "MAX_REQUESTS=2: spent; what was answered is kept"),
        ({"max_tokens": 16}, "MAX_TOKENS=16: spent"),
        ({"max_usd": 0.5, "usd_per_hour": Decimal(1), "seconds": 1800}, r"MAX_USD=0.5: spent"),
    ],
)
def test_nothing_is_asked_beyond_a_limit(serve: Serve, limits: dict[str, Any], told: str) -> None:
    stand_in = serve(lambda _: ["2"])
    client = client_of(stand_in, limits=budget(**limits))
    allowed = 0 if "max_usd" in limits else 2
    for _ in range(allowed):
        _ask(client)
    with pytest.raises(SpentError, match=told):
        _ask(client)
    assert len(stand_in.bodies) == allowed


def test_a_conversation_with_tools_is_asked_as_it_is_and_calls_come_back(serve: Serve) -> None:
    function = {"name": "search", "arguments": '{"query": "boat"}'}
    message = {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    usage = {"prompt_tokens": 5, "completion_tokens": 3}
    stand_in = serve(lambda _: (200, {"choices": [{"message": message}], "usage": usage}))
    said, tools = ({"role": "user", "content": "?"},), ({"type": "function", "function": {"name": "search"}},)
    reply = _ask(client_of(stand_in, chat=True), Asked(messages=said, tools=tools, max_tokens=3))
    assert reply.texts == ("",)
    assert [(call.id, call.name, call.arguments) for call in reply.calls] == [("c1", "search", '{"query": "boat"}')]
    assert (stand_in.bodies[0]["messages"], stand_in.bodies[0]["tools"]) == (list(said), list(tools))


@pytest.mark.parametrize("message", ["no object", {"content": None}, {"content": "", "tool_calls": [{"id": "c1"}]}])
def test_a_malformed_message_of_a_chat_ends_it(serve: Serve, message: Any) -> None:
    stand_in = serve(lambda _: (200, {"choices": [{"message": message}], "usage": {}}))
    with pytest.raises(UnreachableError, match=r"no completion of OpenAI's protocol"):
        _ask(client_of(stand_in, chat=True))
