"""What tests of thinking share: an endpoint of OpenAI's protocol whose answers a test makes up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jobs.serving.endpoint import Endpoint
from jobs.thinking.budget import Budget
from jobs.thinking.client import Client

Answer = Callable[[dict[str, Any]], Any]
"""Of a request's body: texts of the choices, or a status with a body, or bytes as they are."""


@dataclass(kw_only=True, slots=True)
class StandIn:
    """A server with a model that a test makes up, and the bodies that it was asked."""

    answer: Answer
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(url=self.url, model="made-up", api_key="secret")


def budget(**limits: Any) -> Budget:
    return Budget(**{"max_requests": 10**6, "max_tokens": 10**9, "max_usd": 10.0, "usd_per_hour": Decimal(1), **limits})


def client_of(stand_in: StandIn, *, chat: bool = False, seconds: float = 20, limits: Budget | None = None) -> Client:
    return Client(stand_in.endpoint, chat=chat, limit_seconds=seconds, budget=limits or budget())


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], StandIn]]:
    """Starts servers, which end with the test."""
    with ExitStack() as stack:

        def start(answer: Answer) -> StandIn:
            stand_in = StandIn(answer=answer)
            server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": stand_in}))
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
            return stand_in

        yield start


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path}
        self.stand_in.bodies.append(body)
        assert self.headers["Authorization"] == "Bearer secret"
        said = self.stand_in.answer(body)
        if isinstance(said, bytes):
            self._send(200, said)
        elif isinstance(said, tuple):
            self._send(said[0], json.dumps(said[1]).encode())
        else:
            self._send(200, json.dumps(_completion(said, chat="messages" in body)).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _completion(texts: list[str], *, chat: bool) -> dict[str, Any]:
    choices = [{"message": {"content": text}} if chat else {"text": text} for text in texts]
    return {"choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 3 * len(texts)}}
