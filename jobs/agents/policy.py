"""What decides: a model behind an endpoint, or a script. Both drive one graph, and see the same turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.agents.calls import Call
from jobs.agents.turn import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One decision: a call, or else an answer."""

    text: str
    call: Call | None = None
    malformed: str | None = None
    """What is wrong with what was to be a call, and what is allowed."""
    prompt_tokens: int = 0
    new_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.new_tokens


class Policy(Protocol):
    """Decides what comes next."""

    async def decide(self, turns: Sequence[Turn]) -> Said:
        """The next call, or the answer.

        Raises:
            SpentError: a limit of the whole run is reached.
            UnreachableError: nobody answers, or not in time.
            TooLongError: the conversation is longer than the model can read.
            ClusterlabError: whoever was asked refused.
        """
