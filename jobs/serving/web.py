"""A protocol over HTTP: who is let in, answers whole and as streams, clients that leave, and an end that drains."""

from __future__ import annotations

import asyncio
import hmac
import json
import resource
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from jobs.serving.body import RefusedError
from jobs.serving.endpoint import LOOPBACK
from jobs.serving.settings import DRAIN_SECONDS

T = TypeVar("T")
EVENTS = "text/event-stream"
CLIENT_LEFT = 499
"""nginx's status of a request whose client left before its answer; nobody reads it."""

Answer = Callable[[Request], Awaitable[Response]]


class Answering(Protocol):
    """A protocol: its paths, and the form of its errors."""

    @property
    def paths(self) -> Mapping[tuple[str, str], Answer]:
        """What answers a method and a path."""

    @property
    def open_paths(self) -> frozenset[str]:
        """Those that need no key."""

    def error(self, refused: RefusedError) -> dict[str, Any]:
        """What a client is told."""


async def answer(protocol: Answering, request: Request, key: str) -> Response:
    """Answer one request, or say why not."""
    try:
        if request.url.path not in protocol.open_paths:
            _let_in(request, key)
        return await _handler(protocol, request)(request)
    except RefusedError as refused:
        headers = {"Retry-After": "1"} if refused.status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return JSONResponse(protocol.error(refused), int(refused.status), headers)


def serve(protocol: Answering, *, port: int, key: str) -> None:
    """Serve on the loopback until a SIGTERM, then give the answers that were asked for, and end."""
    import uvicorn

    async def endpoint(request: Request) -> Response:
        return await answer(protocol, request, key)

    allow_many_connections()
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    app = Starlette(routes=[Route("/{path:path}", endpoint, methods=methods)])
    uvicorn.run(
        app, host=LOOPBACK, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=DRAIN_SECONDS
    )


def allow_many_connections() -> None:
    """A connection is an open file, and the usual limit of 1,024 is soft."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """Wait for work, and give it up when the client leaves: None then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()


def stream(events: AsyncGenerator[str, None]) -> Response:
    """Server-sent events; the client's leaving ends the generator."""
    return StreamingResponse(events, media_type=EVENTS, headers={"Cache-Control": "no-cache"})


def event(value: Any, *, space: str = " ") -> str:
    """One server-sent event with an object in it."""
    return f"data:{space}{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _let_in(request: Request, key: str) -> None:
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {key}".encode()):
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "no or a wrong API key; allowed: `Authorization: Bearer <key>`")


def _handler(protocol: Answering, request: Request) -> Answer:
    path, method = request.url.path, "GET" if request.method == "HEAD" else request.method
    if (method, path) in protocol.paths:
        return protocol.paths[method, path]
    if any(known == path for _, known in protocol.paths):
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} {path}: another method is allowed")
    raise RefusedError(HTTPStatus.NOT_FOUND, f"{path}: there is no such path")
