"""Worked tasks that stand before each, for a model that is too small to follow a description of its tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.agents.calls import PYTHON, SEARCH, Call
from jobs.agents.turn import Role, Turn

WORKED = (
    (
        "What is 7 to the power of 3, modulo 10?",
        Call(tool=PYTHON, arguments={"code": "print(pow(7, 3, 10))"}),
        "3",
        "Answer: 3",
    ),
    (
        "Near which place was it that a baker juggled the lantern?",
        Call(tool=SEARCH, arguments={"query": "baker juggled the lantern"}),
        "[x1] Record QD-0007. A baker juggled the lantern near the mill.",
        "Answer: mill",
    ),
)
"""A question, the call for it, what that gives and the answer; no record of the library is in them."""


def examples() -> Sequence[Turn]:
    """The turns of these tasks. They are shown to the model alone: neither guard nor trace has them."""
    return list(_turns())


def _turns() -> Iterator[Turn]:
    for question, call, gives, answer in WORKED:
        yield Turn(role=Role.USER, text=question)
        yield Turn(role=Role.ASSISTANT, text=f"```json\n{call.as_json()}\n```", call=call)
        yield Turn(role=Role.TOOL, text=gives, call=call)
        yield Turn(role=Role.ASSISTANT, text=answer)
