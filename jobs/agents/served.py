"""A policy that is a model behind an endpoint of OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.agents.calls import Call, MalformedError, Tool, checked, fenced
from jobs.agents.policy import Said
from jobs.agents.turn import Turn
from jobs.agents.wording import Calling, messages
from jobs.thinking.client import Asked, Client, Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Asks a model what comes next, greedily."""

    client: Client
    tools: Sequence[Tool]
    calling: Calling
    max_tokens: int
    """Of one reply."""
    seed: int = 0
    examples: Sequence[Turn] = ()
    """Worked tasks, between the instructions and the conversation."""

    async def decide(self, turns: Sequence[Turn]) -> Said:
        """See `Policy`; of several calls in one reply the first is made."""
        schemas = tuple(tool.schema for tool in self.tools) if self.calling == Calling.NATIVE else ()
        said = tuple(messages([*turns[:1], *self.examples, *turns[1:]], self.calling))
        asked = Asked(messages=said, tools=schemas, max_tokens=self.max_tokens, seed=self.seed)
        reply = await self.client.ask(asked)
        call, malformed = None, None
        try:
            call = self._call(reply)
        except MalformedError as error:
            malformed = str(error)
        text = reply.texts[0]
        if call is None and malformed is None and not text.strip():
            malformed = "nothing was said; allowed: a call of a tool, or `Answer:` and the answer"
        return Said(
            text=text,
            call=call,
            malformed=malformed,
            prompt_tokens=reply.prompt_tokens,
            new_tokens=reply.new_tokens,
        )

    def _call(self, reply: Reply) -> Call | None:
        """The call in a reply, if it has one.

        Raises:
            MalformedError: it has something that was to be one.
        """
        if self.calling == Calling.FENCED:
            return fenced(reply.texts[0], self.tools)
        if not reply.calls:
            return None
        first = reply.calls[0]
        return checked(first.name, first.arguments, self.tools, first.id)
