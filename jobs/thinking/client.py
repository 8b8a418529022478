"""Ask an endpoint of OpenAI's protocol: several answers to one prompt, within limits of time, tokens and dollars."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from clusterlab.errors import ClusterlabError, InputError, Problem, UnreachableError
from jobs.load.address import Address
from jobs.load.connection import Connection
from jobs.load.target import Target
from jobs.thinking.budget import Budget

PATHS = {False: "/v1/completions", True: "/v1/chat/completions"}
"""By whether it is a chat."""
TRIES = 3
"""Of a request that was not answered for a reason that may pass."""
WAIT_SECONDS = 0.5
"""Before the second try; twice as long before each further one."""
TOO_LONG = re.compile(r"maximum context length|context_length_exceeded|tokens of the prompt and")
"""In a server's refusal of what is longer than the model can read: vLLM's, OpenAI's, and this project's own words."""
PASSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


class PassingError(ClusterlabError):
    """No answer now; the same may be asked again."""


class TooLongError(ClusterlabError):
    """The prompt and its answer together are longer than the model can read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One prompt, and what is wanted of it."""

    prompt: str = ""
    messages: tuple[Mapping[str, Any], ...] = ()
    """In the place of a prompt: a conversation as OpenAI's protocol has it; of a chat only."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """That the model may call, likewise."""
    max_tokens: int
    """Of each answer."""
    num_answers: int = 1
    """In one request, so that the server reads the prompt once."""
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    """Texts that end an answer, and are no part of it."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Called:
    """A tool that a model asked for, unchecked."""

    id: str
    name: str
    arguments: str
    """JSON, where the model wrote it well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back."""

    texts: tuple[str, ...]
    calls: tuple[Called, ...] = ()
    """Of tools, in the first answer."""
    prompt_tokens: int
    """Read once, however many answers."""
    new_tokens: int
    """Of all answers together."""


class Client:
    """Asks one target; with `chat` by messages, which the model's own template puts into words."""

    def __init__(self, target: Target, *, chat: bool, limit_seconds: float, budget: Budget) -> None:
        """What is asked, and the longest that one request may take.

        Raises:
            InputError: the target's URL is none.
        """
        self._url, self._model, self._chat, self._limit_seconds = target.url, target.model, chat, limit_seconds
        self._address = Address.of(target, PATHS[chat], accept="application/json")
        self._budget = budget

    async def ask(self, asked: Asked) -> Reply:
        """Ask, again where the reason may pass, at most `TRIES` times.

        Raises:
            SpentError: a limit is reached; nothing was asked.
            InputError: the model has no chat template, or the key or the model's name is not the server's.
            UnreachableError: nobody answers there, or not within the limit.
            TooLongError: the model cannot read so much.
            ClusterlabError: it refused, or what it said is not of OpenAI's protocol.
        """
        request = self._address.request(self._body(asked))
        for number in range(1, TRIES + 1):
            self._budget.take_request()
            try:
                reply = await self._once(request, asked.num_answers)
            except PassingError as error:
                if number == TRIES:
                    raise UnreachableError(f"{error}; asked {TRIES} times") from error
                await asyncio.sleep(WAIT_SECONDS * 2 ** (number - 1))
            else:
                self._budget.count(reply.prompt_tokens + reply.new_tokens)
                return reply
        raise AssertionError

    def _body(self, asked: Asked) -> dict[str, Any]:
        said: dict[str, Any] = {"prompt": asked.prompt}
        if self._chat:
            said = {"messages": list(asked.messages) or [{"role": "user", "content": asked.prompt}]}
        same = {"model": self._model, "max_tokens": asked.max_tokens, "temperature": asked.temperature}
        stop = {"stop": list(asked.stop)} if asked.stop else {}
        tools = {"tools": list(asked.tools)} if asked.tools else {}
        return said | same | stop | tools | {"n": asked.num_answers, "seed": asked.seed}

    async def _once(self, request: bytes, num_answers: int) -> Reply:
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._limit_seconds):
                connection = await self._address.connect()
                answer = await connection.ask(request)
        except TimeoutError as error:
            raise UnreachableError(f"{self._url}: no answer within {self._limit_seconds:g} s") from error
        except OSError as error:
            raise PassingError(f"{self._url}: no connection: {error.strerror or error}") from error
        finally:
            if connection is not None:
                connection.close()
        body = b"".join(part for _, part in answer.parts)
        if answer.status is None:
            raise PassingError(f"{self._url}: the connection ended before an answer")
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer.status, body)
        try:
            return _reply(json.loads(body), num_answers, chat=self._chat)
        except (ValueError, LookupError, TypeError) as error:
            raise PassingError(f"{self._url}: no completion of OpenAI's protocol: {body[:80]!r}") from error

    def _refusal(self, status: int, body: bytes) -> ClusterlabError:
        said = body[:300].decode(errors="replace")
        if status in PASSING:
            return PassingError(f"{self._url}: status {status}: {said}")
        if self._chat and "chat template" in said.lower():
            message = f"{self._model} has no chat template; allowed with it: WORDING=trained or WORDING=base"
            return InputError(Problem(path=self._url, message=message))
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return InputError(Problem(path=self._url, message=f"status {status}: {said}"))
        if status == HTTPStatus.BAD_REQUEST and TOO_LONG.search(said):
            return TooLongError(f"{self._url}: {said}")
        return ClusterlabError(f"{self._url}: refused with status {status}: {said}")


def _reply(body: Mapping[str, Any], num_answers: int, *, chat: bool) -> Reply:
    """Of a completion's object.

    Raises:
        ValueError, LookupError, TypeError: it is none.
    """
    calls = _calls(body["choices"][0]["message"]) if chat else ()
    # Who calls a tool need say nothing beside it.
    said = (choice["message"]["content"] if chat else choice["text"] for choice in body["choices"])
    texts = tuple("" if text is None and calls else text for text in said)
    if len(texts) != num_answers or not all(isinstance(text, str) for text in texts):
        raise ValueError("not as many answers as were asked for")
    prompt_tokens, new_tokens = (int(body["usage"][name]) for name in ("prompt_tokens", "completion_tokens"))
    return Reply(texts=texts, calls=calls, prompt_tokens=prompt_tokens, new_tokens=new_tokens)


def _calls(message: Mapping[str, Any]) -> tuple[Called, ...]:
    """Of tools, as they stand in a message."""
    if not isinstance(message, dict):
        raise TypeError("no message")
    return tuple(
        Called(id=str(each["id"]), name=str(each["function"]["name"]), arguments=str(each["function"]["arguments"]))
        for each in message.get("tool_calls") or ()
    )
