"""What tests of thinking share: an endpoint of OpenAI's protocol whose answers a test makes up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from jobs.serving.endpoint import Endpoint
from jobs.thinking.budget import Budget
from jobs.thinking.client import Client
from tests.web import Handler, serving

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
            stand_in.url = stack.enter_context(serving(type("Handler", (_Handler,), {"stand_in": stand_in})))
            return stand_in

        yield start


class _Handler(Handler):
    stand_in: StandIn

    def respond(self) -> None:
        body = json.loads(self.body()) | {"path": self.path}
        self.stand_in.bodies.append(body)
        assert self.headers["Authorization"] == "Bearer secret"
        said = self.stand_in.answer(body)
        if isinstance(said, bytes):
            self.send(said)
        elif isinstance(said, tuple):
            self.send_json(said[1], status=said[0])
        else:
            self.send_json(_completion(said, chat="messages" in body))


def _completion(texts: list[str], *, chat: bool) -> dict[str, Any]:
    choices = [{"message": {"content": text}} if chat else {"text": text} for text in texts]
    return {"choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 3 * len(texts)}}
