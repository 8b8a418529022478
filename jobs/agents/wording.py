"""How a model is told what it can do, and how turns are put into the messages of OpenAI's protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from jobs.agents.calls import PLAN, Tool
from jobs.agents.turn import Role, Turn

TASK = (
    "You answer questions about an archive of records. Look up what you do not know; calculate with Python and not in "
    "your head. When you know it, write the answer alone, as a word or a number, behind `Answer:`."
)
PLANNED = f"If you need both, call {PLAN} first: afterwards no code runs but that of the plan."
FENCED = (
    "To use a tool write nothing but one JSON object between fences:\n"
    '```json\n{"tool": "search", "arguments": {"query": "..."}}\n```\nThe tools are:\n'
)


class Calling(StrEnum):
    """How a model asks for a tool."""

    NATIVE = "native"
    """By OpenAI's function calling, which the server must have been started for."""
    FENCED = "fenced"
    """By JSON between fences, in any chat."""


def instructions(calling: Calling, tools: Sequence[Tool]) -> str:
    """What stands before the task."""
    told = [TASK]
    if any(tool.name == PLAN for tool in tools):
        told.append(PLANNED)
    if calling == Calling.FENCED:
        lines = (f"- {tool.name}: {tool.description} Arguments: {json.dumps(dict(tool.properties))}" for tool in tools)
        told.append(FENCED + "\n".join(lines))
    return "\n".join(told)


def messages(turns: Sequence[Turn], calling: Calling) -> list[dict[str, Any]]:
    """Turns as the protocol has them; without function calling a tool's answer is said by the user."""
    return [_message(turn, calling) for turn in turns]


def _message(turn: Turn, calling: Calling) -> dict[str, Any]:
    if turn.call is None:
        return {"role": str(turn.role), "content": turn.text}
    if calling == Calling.FENCED:
        if turn.role == Role.ASSISTANT:
            return {"role": "assistant", "content": turn.text}
        return {"role": "user", "content": f"{turn.call.tool} gives:\n{turn.text}"}
    if turn.role == Role.ASSISTANT:
        function = {"name": turn.call.tool, "arguments": json.dumps(dict(turn.call.arguments))}
        called = [{"id": turn.call.id, "type": "function", "function": function}]
        return {"role": "assistant", "content": turn.text, "tool_calls": called}
    return {"role": "tool", "tool_call_id": turn.call.id, "content": turn.text}
