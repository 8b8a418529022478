from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.agents.calls import MOST_LETTERS, MalformedError, checked, fenced
from tests.jobs.agents.conftest import TOOLS


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("shell", {}, r"there is no such tool; allowed: search, python, plan"),
        (None, {}, r"there is no such tool"),
        (["search"], {}, r"there is no such tool"),
        ("search", '{"query": "\\ud83d boat"}', r"search: half of a letter; allowed: texts that UTF-8 can write"),
        ("search", "{query", r"search: arguments are no JSON; allowed: one JSON object"),
        ("search", "[]", r"search: allowed: an object with query"),
        ("search", {}, r"search: allowed: an object with query"),
        ("search", {"query": "x", "limit": 3}, r"search: allowed: an object with query"),
        ("search", {"query": " "}, r"search: query: allowed: a text of 1 to 4000 letters"),
        ("python", {"code": ["print(1)"]}, r"python: code: allowed: a text"),
        ("python", {"code": "x" * (MOST_LETTERS + 1)}, r"python: code: allowed: a text of 1 to 4000 letters"),
        ("python", {"code": "x", "inputs": [1]}, r"python: inputs: allowed: an object of at most 16"),
        ("python", {"code": "x", "inputs": {"a": {"b": 1}}}, r"python: inputs: allowed"),
        ("python", {"code": "x", "inputs": {"a": "x" * 201}}, r"texts of at most 200 letters"),
        ("python", {"code": "x", "inputs": {"x" * 201: 1}}, r"texts of at most 200 letters"),
        ("plan", {"steps": []}, r"plan: steps: allowed: a list of 1 to 12"),
        ("plan", {"steps": ["search"]}, r"plan: a step: allowed: an object with tool: search or python"),
        ("plan", {"steps": [{"tool": "python"}]}, r"plan: code: allowed: a text"),
    ],
)
def test_a_malformed_call_is_told_with_what_is_allowed(name: Any, arguments: Any, told: str) -> None:
    with pytest.raises(MalformedError, match=told):
        checked(name, arguments, TOOLS)


def test_a_call_comes_as_an_object_or_as_its_json() -> None:
    arguments = {"code": "print(inputs['a'])", "inputs": {"a": 1}}
    assert checked("python", arguments, TOOLS) == checked("python", json.dumps(arguments), TOOLS)


def test_a_call_between_fences_is_found_in_what_a_model_says() -> None:
    call = fenced('I look.\n```json\n{"tool": "search", "arguments": {"query": "boat"}}\n```\nThen I answer.', TOOLS)
    assert call is not None
    assert (call.tool, call.arguments) == ("search", {"query": "boat"})
    assert fenced("Answer: 42", TOOLS) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```json\n{tool: search}\n```", r"no JSON between the fences"),
        ('```json\n{"tool": "search"', r"no JSON object between the fences"),
        ('```json\n{"name": "search"}\n```', r"there is no such tool"),
    ],
)
def test_what_stands_between_fences_and_is_no_call_is_told(text: str, told: str) -> None:
    with pytest.raises(MalformedError, match=told):
        fenced(text, TOOLS)


def test_a_tool_is_described_as_function_calling_has_it() -> None:
    for tool in TOOLS:
        function = tool.schema["function"]
        assert tool.schema["type"] == "function"
        assert set(function["parameters"]["required"]) <= set(function["parameters"]["properties"])
