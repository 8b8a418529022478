"""One turn of a conversation: who said it, and whether what was said can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobs.agents.calls import Call


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What was said once."""

    role: Role
    text: str
    call: Call | None = None
    """Of the assistant: what it asked for. Of a tool: what it answers."""
    trusted: bool = True
    """Whether it came from the user, from this program, or from a model that had read nothing else.

    A document is data: whoever wrote it is not whom the agent works for.
    """
    refused: bool = False
    """Of a tool: the call was not made."""


def tainted(turns: Sequence[Turn]) -> bool:
    """Whether anything in a conversation cannot be trusted; whatever a model says from then on cannot be either."""
    return any(not turn.trusted for turn in turns)
