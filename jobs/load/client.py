"""A client of OpenAI's completions: one request, one outcome, and never an answer that is waited for without end."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from clusterlab.errors import ClusterlabError
from jobs.load.address import Address
from jobs.load.connection import Answer, Connection
from jobs.load.outcome import Ending, Outcome
from jobs.load.prompts import Prompt
from jobs.load.stream import read_stream
from jobs.load.target import Target

IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: servers end them, uvicorn after 5 seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that is over, with its answer as it came; `outcome` reads it.

    Reading takes CPU between two requests that are timed, so it waits until the load is over. Until then an answer is
    kept as it came.
    """

    scheduled: float
    sent: float
    ended: float
    came: Answer | Ending
    """The answer, or why there is none."""

    def outcome(self) -> Outcome:
        """What became of it."""
        outcome = partial(Outcome, scheduled=self.scheduled, sent=self.sent, ended=self.ended)
        if isinstance(self.came, Ending):
            return outcome(ending=self.came)
        return _read(self.came, partial(outcome, status=self.came.status))


class Client:
    """Asks one target, over as many connections as there are requests at one time."""

    def __init__(self, target: Target, *, limit_seconds: float) -> None:
        self._address = Address.of(target, "/v1/completions", accept="text/event-stream")
        self._model, self._limit_seconds = target.model, limit_seconds
        self._idle: list[Connection] = []

    def request(self, prompt: Prompt) -> bytes:
        """The request of a prompt, made before the load begins so that making it delays nothing."""
        body = {
            "model": self._model,
            "prompt": prompt.text,
            "max_tokens": prompt.new_tokens,
            "temperature": 0,
            # An extension that vLLM and this project's servers have: every answer has the length that was asked for.
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return self._address.request(body)

    async def ask(self, request: bytes, scheduled: float | None = None) -> Asked:
        """Send a request and wait for its end, at most for the time limit; it was scheduled for now if not said.

        Raises:
            ClusterlabError: this machine has no connection left to open, which says nothing of the server.
        """
        sent = time.perf_counter()
        asked = partial(Asked, scheduled=sent if scheduled is None else scheduled, sent=sent)
        connection: Connection | None = None
        try:
            connection = self._at_hand() or await self._opened()
            answer = await connection.ask(request, sent + self._limit_seconds - time.perf_counter())
        except TimeoutError:
            return asked(ended=time.perf_counter(), came=Ending.TIMED_OUT)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL):
                message = f"{self._address.host}: no connection left to open here: {error.strerror}"
                raise ClusterlabError(message) from error
            return asked(ended=time.perf_counter(), came=Ending.REFUSED)
        finally:
            if connection is not None:
                self._give_back(connection)
        return asked(ended=answer.ended, came=answer)

    def close(self) -> None:
        """End all connections."""
        while self._idle:
            self._idle.pop().close()

    def _at_hand(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and time.perf_counter() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _opened(self) -> Connection:
        async with asyncio.timeout(self._limit_seconds):
            return await self._address.connect()

    def _give_back(self, connection: Connection) -> None:
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()


def _read(answer: Answer, outcome: Callable[..., Outcome]) -> Outcome:
    """What an answer, whole or not, amounts to."""
    if answer.status is not None and answer.status != HTTPStatus.OK:
        return outcome(ending=Ending.FAILED if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else Ending.REJECTED)
    try:
        stream = read_stream(answer.parts)
    except ValueError:
        return outcome(ending=Ending.BROKEN)
    ending = Ending.FAILED if stream.failed else Ending.DONE if stream.whole and stream.tokens else Ending.BROKEN
    tokens = partial(outcome, first_token=stream.first_token, last_token=stream.last_token, tokens=stream.tokens)
    return tokens(ending=ending)
