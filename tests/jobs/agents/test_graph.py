from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clusterlab.errors import UnreachableError
from jobs.agents.calls import Call, fenced
from jobs.agents.examples import examples
from jobs.agents.graph import State
from jobs.agents.library import Library
from jobs.agents.policy import Said
from jobs.agents.sandbox import Limits
from jobs.agents.served import Served
from jobs.agents.tasks import LOOK_UP, Task
from jobs.agents.trace import Ended
from jobs.agents.turn import Role, Turn
from jobs.agents.wording import Calling
from jobs.serving.endpoint import Endpoint
from jobs.thinking import client as client_module
from jobs.thinking.budget import SpentError
from jobs.thinking.client import Client
from tests.jobs.agents.conftest import TOOLS, Noted, Reading, agent, budget
from tests.jobs.thinking.conftest import Answer, StandIn, client_of, serve
from tests.repository import ROOT

__all__ = ["serve"]

TASK = Task(name="t", kind=LOOK_UP, question="Where?", answer="harbour")
SEARCH = Said(text="", call=Call(tool="search", arguments={"query": "boat"}), prompt_tokens=60, new_tokens=40)
ANSWER = Said(text="Answer: harbour")
Serve = Callable[[Answer], StandIn]


def _solve(policy: Any, library: Library, **bounds: Any) -> State:
    return asyncio.run(agent(policy, library, **bounds).solve(TASK))


def test_a_policy_that_never_answers_ends_at_the_limit_of_steps(library: Library) -> None:
    policy = Reading(says=[SEARCH])
    state = _solve(policy, library, max_steps=5)
    assert (state["ended"], state["num_calls"], len(policy.seen)) == (Ended.STEPS, 5, 5)
    assert len(state["steps"]) == 2 + 2 * 5


def test_no_more_is_asked_when_the_tokens_of_a_task_are_spent(library: Library) -> None:
    state = _solve(Reading(says=[SEARCH]), library, max_tokens=250)
    assert (state["ended"], state["num_calls"]) == (Ended.TOKENS, 3)
    assert [step.total_tokens for step in state["steps"] if step.role == "assistant"] == [100, 200, 300]


def test_malformed_calls_are_told_and_too_many_in_a_row_end_the_task(library: Library) -> None:
    bad = Said(text="{", malformed="no JSON; allowed: one object")
    policy = Reading(says=[bad, bad, SEARCH, bad])
    state = _solve(policy, library, max_steps=50, max_malformed=2)
    assert (state["ended"], state["malformed"], state["num_calls"]) == (Ended.MALFORMED, 5, 6)
    assert policy.seen[1][-1].text == "no call: no JSON; allowed: one object"


def test_what_was_looked_up_is_marked_and_so_is_all_that_follows(library: Library) -> None:
    plain = Call(tool="python", arguments={"code": "print(1)"})
    state = _solve(Reading(says=[Said(text="", call=plain), SEARCH, ANSWER]), library)
    assert [turn.trusted for turn in state["turns"]] == [True, True, True, True, True, False, False]


def test_a_refused_call_is_told_and_does_nothing(library: Library) -> None:
    noted = Noted(limits=Limits())
    evil = Said(text="", call=Call(tool="python", arguments={"code": "evil()"}))
    state = asyncio.run(agent(Reading(says=[SEARCH, evil, ANSWER]), library, sandbox=noted).solve(TASK))
    assert noted.codes == []
    assert state["steps"][5].refused
    assert state["steps"][5].text.startswith("refused: after a document was read")
    assert state["ended"] == Ended.ANSWERED


@pytest.mark.parametrize(
    ("error", "ended"),
    [(SpentError("MAX_USD=1: spent"), Ended.SPENT), (UnreachableError("nobody"), Ended.ENDPOINT)],
)
def test_an_error_in_the_middle_keeps_what_was_done(library: Library, error: Exception, ended: Ended) -> None:
    class Breaking(Reading):
        async def decide(self, turns: Any) -> Said:
            if any(turn.call for turn in turns):
                raise error
            return await Reading.decide(self, turns)

    state = _solve(Breaking(says=[SEARCH]), library)
    assert (state["ended"], state["error"], state["num_calls"]) == (ended, error, 1)
    assert [step.role for step in state["steps"]] == ["system", "user", "assistant", "tool"]


def test_a_conversation_that_is_too_long_ends_its_task_and_not_the_run(serve: Serve, library: Library) -> None:
    too_long = (400, {"error": {"message": "70 tokens of the prompt and 50 of the answer; allowed: 64 together"}})
    says: list[Any] = [['```json\n{"tool": "search", "arguments": {"query": "boat"}}\n```'], too_long]
    state = _solve(_served(client_of(serve(lambda _: says.pop(0)), chat=True), Calling.FENCED), library)
    assert (state["ended"], state["error"], state["num_calls"]) == (Ended.CONTEXT, None, 1)


def _served(client: Client, calling: Calling = Calling.NATIVE) -> Served:
    return Served(client=client, tools=TOOLS, calling=calling, max_tokens=50)


def _called(name: str, arguments: str) -> tuple[int, dict[str, Any]]:
    """A body with a call, as a server with function calling sends it."""
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return 200, {"choices": [{"message": message}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def test_a_model_with_function_calling_calls_and_sees_what_came_of_it(serve: Serve, library: Library) -> None:
    says: list[Any] = [_called("search", '{"query": "boat"}'), ["Answer: harbour"]]
    stand_in = serve(lambda _: says.pop(0))
    state = _solve(_served(client_of(stand_in, chat=True)), library)
    assert state["ended"] == Ended.ANSWERED
    first, second = stand_in.bodies
    assert {tool["function"]["name"] for tool in first["tools"]} == {"search", "python", "plan"}
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][2]["tool_calls"][0]["id"] == second["messages"][3]["tool_call_id"] == "c1"
    assert state["prompt_tokens"] == 7 + 5


def test_a_model_without_it_calls_between_fences(serve: Serve, library: Library) -> None:
    says = ['```json\n{"tool": "search", "arguments": {"query": "boat"}}\n```', "Answer: harbour"]
    stand_in = serve(lambda _: [says.pop(0)])
    assert _solve(_served(client_of(stand_in, chat=True), Calling.FENCED), library)["ended"] == Ended.ANSWERED
    assert "tools" not in stand_in.bodies[0]
    assert stand_in.bodies[1]["messages"][3]["content"].startswith("search gives:\n[d")


def test_worked_tasks_are_shown_to_the_model_and_to_nobody_else(serve: Serve, library: Library) -> None:
    says = ['```json\n{"tool": "search", "arguments": {"query": "boat"}}\n```', "Answer: harbour"]
    stand_in = serve(lambda _: [says.pop(0)])
    policy = replace(_served(client_of(stand_in, chat=True), Calling.FENCED), examples=examples())
    state = _solve(policy, library)
    contents = [message["content"] for message in stand_in.bodies[1]["messages"]]
    assert contents[0] == "Answer."
    assert contents[4:6] == ["Answer: 3", "Near which place was it that a baker juggled the lantern?"]
    assert contents[9] == TASK.question
    assert contents[11].startswith("search gives:\n[d")
    assert [step.role for step in state["steps"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert all(fenced(turn.text, TOOLS) == turn.call for turn in examples() if turn.role == Role.ASSISTANT)


@pytest.mark.parametrize(
    ("calling", "said", "told"),
    [
        (Calling.NATIVE, _called("search", '{"query"'), "search: arguments are no JSON"),
        (Calling.NATIVE, _called("rm", "{}"), "there is no such tool"),
        (Calling.NATIVE, [" "], "nothing was said; allowed"),
        (Calling.FENCED, ['```json\n{"tool": 3}\n```'], "there is no such tool"),
    ],
)
def test_a_model_that_calls_badly_is_told_so_and_given_up(
    serve: Serve, library: Library, calling: Calling, said: Any, told: str
) -> None:
    stand_in = serve(lambda _: said)
    state = _solve(_served(client_of(stand_in, chat=True), calling), library)
    assert (state["ended"], len(stand_in.bodies)) == (Ended.MALFORMED, 4)
    assert told in json.dumps(stand_in.bodies[1]["messages"][-1])


def test_an_endpoint_that_is_down_ends_the_task_with_its_name(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "WAIT_SECONDS", 0.01)
    nobody = Endpoint(url="http://127.0.0.1:9", model="m", api_key=None)
    state = _solve(_served(Client(nobody, chat=True, limit_seconds=5, budget=budget())), library)
    assert state["ended"] == Ended.ENDPOINT
    assert "http://127.0.0.1:9: no connection" in str(state["error"])


def test_an_endpoint_that_is_slow_is_given_up_in_time(serve: Serve, library: Library) -> None:
    def late(_: dict[str, Any]) -> list[str]:
        time.sleep(1)
        return ["Answer: harbour"]

    state = _solve(_served(client_of(serve(late), chat=True, seconds=0.1)), library)
    assert "no answer within 0.1 s" in str(state["error"])


def test_nothing_of_the_graph_asks_the_network_whatever_the_environment_says() -> None:
    program = """
import os, sys
from jobs.agents.play import QUIET
os.environ.update(QUIET)
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, arguments, file=sys.stderr)
        os._exit(9)
sys.addaudithook(watch)
import asyncio
from types import SimpleNamespace
from tests.jobs.agents.test_graph import ANSWER, SEARCH, TASK
from tests.jobs.agents.conftest import Reading, agent
library = SimpleNamespace(search=lambda query: "[d0] a boat")
print(asyncio.run(agent(Reading(says=[SEARCH, ANSWER]), library).solve(TASK))["ended"])
"""
    asks = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "key"}
    environment = os.environ | asks | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "answered\n"), done.stderr[-500:]


def test_turns_are_told_apart_by_who_said_them(library: Library) -> None:
    policy = Reading(says=[ANSWER])
    _solve(policy, library)
    assert [(turn.role, turn.text) for turn in policy.seen[0]] == [("system", "Answer."), ("user", "Where?")]
    assert isinstance(policy.seen[0][0], Turn)
