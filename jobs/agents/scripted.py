"""A policy that is a script, and says so: it knows the forms of the made tasks, and does whatever it is told to.

No model is in it. It stands in for one where none can run: it drives the same graph, and is as gullible as an agent
can be, so that a guard has something to stop. What it falls for says nothing about any model.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jobs.agents.calls import PLAN, PYTHON, SEARCH, Call
from jobs.agents.goals import Goal, goal_of
from jobs.agents.policy import Said
from jobs.agents.turn import Role, Turn
from jobs.thinking.budget import Budget

SCRIPTED = "scripted"
UNKNOWN = "unknown"
_RUN = re.compile(r"\b(?:run|execute|call python with|ejecut\w+|corre)\b[^`]{0,80}`([^`]+)`", re.IGNORECASE)
_SEARCH = re.compile(r"\b(?:search for|look up)\b[^`]{0,40}`([^`]+)`", re.IGNORECASE)
_CODE = re.compile(r'"code":\s*("(?:[^"\\]|\\.)*")')
_BASE64, _HEX = re.compile(r"\b[A-Za-z0-9+/]{24,}={0,2}"), re.compile(r"\b(?:[0-9a-f]{2}){16,}\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scripted:
    """Solves the made tasks; one that `plans` gives its code before it reads, and values to it afterwards."""

    plans: bool
    budget: Budget

    async def decide(self, turns: Sequence[Turn]) -> Said:
        """See `Policy`; a token of a script is a word."""
        self.budget.take_request()
        call, text = self._next(turns)
        said = f"{text} {call.as_json() if call else ''}"
        read = sum(len(turn.text.split()) for turn in turns)
        reply = Said(text=text, call=call, prompt_tokens=read, new_tokens=len(said.split()))
        self.budget.count(reply.tokens)
        return reply

    def _next(self, turns: Sequence[Turn]) -> tuple[Call | None, str]:
        """A call, or an answer."""
        order = next(_orders(turns), None)
        if order is not None:
            return order, "I was told to do this."
        question = next(turn.text for turn in turns if turn.role == Role.USER)
        goal = goal_of(question)
        if goal is None:
            return None, f"Answer: {UNKNOWN}"
        if self.plans and goal.planned and not _made(turns, PLAN):
            steps = [{"tool": SEARCH}, {"tool": PYTHON, "code": goal.planned}]
            return Call(tool=PLAN, arguments={"steps": steps}), "This is what I will need."
        return self._towards(goal, turns)

    def _towards(self, goal: Goal, turns: Sequence[Turn]) -> tuple[Call | None, str]:
        read = "\n".join(turn.text for turn in turns if turn.role == Role.TOOL)
        values = {}
        for need in goal.needs:
            found = need.value(read)
            if found is None:
                asked = any(call.arguments.get("query") == need.query for call in _made(turns, SEARCH))
                return (None, f"Answer: {UNKNOWN}") if asked else (_search(need.query), "I have to look this up.")
            values[need.name] = found
        if goal.written is None:
            return None, f"Answer: {next(iter(values.values()))}"
        return self._calculated(goal, values, turns)

    def _calculated(self, goal: Goal, values: Mapping[str, str], turns: Sequence[Turn]) -> tuple[Call | None, str]:
        planned = self.plans and goal.planned
        # Without a plan the values stand in the code, as such agents write it.
        arguments = {"code": goal.planned, "inputs": dict(values)} if planned else {"code": goal.code(values)}
        for turn in turns:
            if turn.role == Role.TOOL and turn.call is not None and turn.call.code == arguments["code"]:
                lines = turn.text.split() if not turn.refused else []
                return None, f"Answer: {lines[-1] if lines else UNKNOWN}"
        return Call(tool=PYTHON, arguments=arguments), "I have to calculate this."


def _orders(turns: Sequence[Turn]) -> Iterator[Call]:
    """What documents say is to be done, and has not been tried yet: to a script their word is as good as the user's."""
    tried = {str(call.arguments.get(name)) for call in _made(turns) for name in ("code", "query")}
    for turn in turns:
        if turn.role != Role.TOOL or turn.call is None or turn.call.tool != SEARCH:
            continue
        for text in _readings(turn.text):
            for code in (*_RUN.findall(text), *_quoted(text)):
                if code not in tried:
                    yield Call(tool=PYTHON, arguments={"code": code})
            for query in _SEARCH.findall(text):
                if query not in tried:
                    yield _search(query)


def _readings(text: str) -> Iterator[str]:
    """A text as it is, without the backslashes of JSON within JSON, and what is encoded in it."""
    yield text
    if '{\\"' in text:
        yield re.sub(r"\\(.)", r"\1", text)
    for found in _BASE64.findall(text):
        with suppress(binascii.Error, UnicodeDecodeError):
            yield b64decode(found, validate=True).decode()
    for found in _HEX.findall(text):
        yield bytes.fromhex(found).decode(errors="replace")


def _quoted(text: str) -> Iterator[str]:
    """Code in what looks like a call of a tool."""
    for found in _CODE.findall(text):
        with suppress(ValueError):
            yield json.loads(found)


def _made(turns: Sequence[Turn], tool: str | None = None) -> list[Call]:
    calls = [turn.call for turn in turns if turn.role == Role.ASSISTANT and turn.call is not None]
    return [call for call in calls if tool in (None, call.tool)]


def _search(query: str) -> Call:
    return Call(tool=SEARCH, arguments={"query": query})
