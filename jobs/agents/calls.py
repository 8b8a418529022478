"""A call of a tool: what a policy asks for, checked field by field before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SEARCH, PYTHON, PLAN = "search", "python", "plan"
MOST_LETTERS = 4000
"""Of code, or of a query."""
MOST_STEPS = 12
"""Of a plan."""
MOST_INPUTS = 16
VALUE_LETTERS = 200
"""Of a text that code gets as a value."""
_FENCED = re.compile(r"```(?:json)?\s*\n?(\{.*?\})\s*```", re.DOTALL)


class MalformedError(Exception):
    """No call that any tool takes; says what is allowed. No text of the model is in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One tool, and what it is given."""

    tool: str
    arguments: Mapping[str, Any]
    id: str = "call"

    @property
    def code(self) -> str:
        """Of a call of `python`, and of a step of a plan; empty where there is none."""
        return str(self.arguments.get("code", ""))

    def as_json(self) -> str:
        """As a fenced call has it."""
        return json.dumps({"tool": self.tool, "arguments": self.arguments}, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """What a policy may call: as OpenAI's function calling has it, and the check of its arguments."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]
    check: Callable[[Mapping[str, Any]], None] = field(repr=False)

    @property
    def schema(self) -> dict[str, Any]:
        """For the field `tools` of a request."""
        parameters = {"type": "object", "properties": self.properties, "required": list(self.required)}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


def checked(name: Any, arguments: Any, tools: Sequence[Tool], id_: str = "call") -> Call:
    """A call, where it is one; `arguments` are an object, or its JSON as OpenAI's protocol has them.

    Raises:
        MalformedError: it is none.
    """
    named = {tool.name: tool for tool in tools}
    # A list has no hash.
    if not isinstance(name, str) or name not in named:
        raise MalformedError(f"there is no such tool; allowed: {', '.join(named)}")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError as error:
            raise MalformedError(f"{name}: arguments are no JSON; allowed: one JSON object") from error
    tool = named[name]
    if not isinstance(arguments, dict) or not set(tool.required) <= arguments.keys() <= set(tool.properties):
        raise MalformedError(f"{name}: allowed: an object with {', '.join(tool.properties)}")
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MalformedError(f"{name}: half of a letter; allowed: texts that UTF-8 can write") from error
    tool.check(arguments)
    return Call(tool=name, arguments=arguments, id=id_)


def fenced(text: str, tools: Sequence[Tool]) -> Call | None:
    """The first call that stands in a text between fences, as models without function calling write it.

    Raises:
        MalformedError: something stands there that is no call.
    """
    found = _FENCED.search(text)
    if found is None:
        if "```json" in text:
            raise MalformedError('no JSON object between the fences; allowed: {"tool": ..., "arguments": {...}}')
        return None
    try:
        values = json.loads(found.group(1))
    except ValueError as error:
        raise MalformedError('no JSON between the fences; allowed: {"tool": ..., "arguments": {...}}') from error
    return checked(values.get("tool"), values.get("arguments"), tools)


def _text(arguments: Mapping[str, Any], name: str, tool: str) -> None:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_LETTERS:
        raise MalformedError(f"{tool}: {name}: allowed: a text of 1 to {MOST_LETTERS} letters")


def _check_search(arguments: Mapping[str, Any]) -> None:
    _text(arguments, "query", SEARCH)


def _check_python(arguments: Mapping[str, Any]) -> None:
    _text(arguments, "code", PYTHON)
    inputs = arguments.get("inputs", {})
    right = isinstance(inputs, dict) and len(inputs) <= MOST_INPUTS
    right = right and all(map(_is_value, (*inputs, *inputs.values())))
    if not right:
        allowed = f"an object of at most {MOST_INPUTS} numbers, truths and texts of at most {VALUE_LETTERS} letters"
        raise MalformedError(f"{PYTHON}: inputs: allowed: {allowed}")


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float | bool) or (isinstance(value, str) and len(value) <= VALUE_LETTERS)


def _check_plan(arguments: Mapping[str, Any]) -> None:
    steps = arguments["steps"]
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise MalformedError(f"{PLAN}: steps: allowed: a list of 1 to {MOST_STEPS}")
    for step in steps:
        if not isinstance(step, dict) or step.get("tool") not in (SEARCH, PYTHON):
            raise MalformedError(f"{PLAN}: a step: allowed: an object with tool: {SEARCH} or {PYTHON}")
        if step["tool"] == PYTHON:
            _text(step, "code", PLAN)


_STRING = {"type": "string"}
SEARCH_TOOL = Tool(
    name=SEARCH,
    description="Look in the library. Gives the passages that are nearest to the query.",
    properties={"query": _STRING},
    required=("query",),
    check=_check_search,
)
PYTHON_TOOL = Tool(
    name=PYTHON,
    description="Run Python code, standard library only, without network and files. Gives what it prints. "
    "The code finds the values of `inputs` in a dict of that name.",
    properties={"code": _STRING, "inputs": {"type": "object"}},
    required=("code",),
    check=_check_python,
)
PLAN_TOOL = Tool(
    name=PLAN,
    description="Before anything is looked up: say which tools the task needs. Of python the whole code, which takes "
    "what the library will say from the dict `inputs`. Later no other code can be run.",
    properties={
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"tool": {"enum": [SEARCH, PYTHON]}, "code": _STRING},
                "required": ["tool"],
            },
        }
    },
    required=("steps",),
    check=_check_plan,
)
