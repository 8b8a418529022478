"""One connection to the server: HTTP/1.1, one answer after the other, each part with the time at which it came."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, cast

from jobs.load.stream import Part


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int | None
    """None where the connection ended before it said one."""
    parts: list[Part]
    ended: float


class Connection(asyncio.Protocol):
    """A connection; `usable` is true when an answer is over and another request can follow it.

    A client on top of asyncio's streams takes twice the CPU of this one, and what it takes is added to every latency.
    """

    def __init__(self) -> None:
        self.usable = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Answer] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._parser: Any = None
        self._parts: list[Part] = []
        self._now = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, limit_seconds: float | None = None) -> asyncio.Future[Answer]:
        """Send a request, and return what its answer will be: a `TimeoutError` where it is not whole in that time.

        To a caller that sends hundreds a second, `asyncio.timeout` around it takes more CPU.
        """
        import httptools

        self.usable = False
        self._parser, self._parts = httptools.HttpResponseParser(self), []
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        if limit_seconds is not None:
            self._limit = loop.call_later(limit_seconds, self._late)
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """End it at once, with whatever is on its way."""
        self.usable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        import httptools

        self._now = time.perf_counter()
        if self._answer is None or self._answer.done():
            self.close()  # Nothing was asked.
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end()
            self.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """Called by the event loop."""
        self.usable = False
        self._now = time.perf_counter()
        self._end()

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._parts.append((self._now, part))

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.usable = self._parser.should_keep_alive()
        self.idle_since = self._now
        self._end()

    def _late(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TimeoutError())

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if self._answer is not None and not self._answer.done():
            # 0 until the server has said its status.
            status = self._parser.get_status_code() or None
            self._answer.set_result(Answer(status=status, parts=self._parts, ended=self._now))
