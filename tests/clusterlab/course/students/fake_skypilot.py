"""The part of SkyPilot 0.14.1's API server that has to do with tokens (`sky/users/server.py`), on the loopback."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.web import Handler, serving

PASSWORD = "f00d"
PATH = "/users/service-account-tokens"


@dataclass(kw_only=True)
class FakeSkyPilot:
    """What it has and how often it was asked to change it."""

    endpoint: str = ""
    status: str = "healthy"
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name."""
    changes: list[str] = field(default_factory=list)
    num_made: int = 0
    """Tokens, no two of which are the same."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, name: str, days: int, *, expires_at: float | None = None) -> dict[str, Any]:
        """A token by somebody's own hand."""
        with self.lock:
            return self._put(name, days, expires_at)

    def _put(self, name: str, days: int, expires_at: float | None = None) -> dict[str, Any]:
        self.num_made += 1
        made = {
            "token_id": self.tokens.get(name, {}).get("token_id", f"id-{self.num_made}"),
            "token_name": name,
            "token": f"sky_{name}_{self.num_made}",
            "expires_at": 4e9 + days if expires_at is None else expires_at,
        }
        self.tokens[name] = made
        return made

    def answer(self, method: str, path: str, body: dict[str, Any], header: str) -> tuple[int, Any]:
        """As the server answers; `/state` and `/reset` are for a test in another process."""
        pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        with self.lock:
            known = {f"Bearer {each['token']}" for each in self.tokens.values()}
            if path == "/state":
                return 200, {name: each["token"] for name, each in self.tokens.items()}
            if path == "/reset":
                self.tokens.clear()
                self.changes.clear()
                return 200, {}
            if path == "/api/health":
                return 200, {"status": self.status, "version": "0.14.1"}
            if header not in {f"Basic {pair}", *known}:
                return 401, {"detail": "Authentication required"}
            if path == "/users/role":
                return 200, {"role": "user"}
            if path == PATH and method == "GET":
                return 200, [{**each, "token": None} for each in self.tokens.values()]
            return self._change(path, body)

    def _change(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == PATH:
            name = body["token_name"]
            if name in self.tokens:
                detail = (
                    f"Failed to create service account token: 400: Service account with name {name!r} already exists"
                )
                return 500, {"detail": detail}
            self.changes.append(f"create {name}")
            return 200, self._put(name, body["expires_in_days"])
        if path == f"{PATH}/rotate":
            named = {each["token_id"]: name for name, each in self.tokens.items()}
            if body["token_id"] not in named:
                return 404, {"detail": "Token not found"}
            self.changes.append(f"rotate {named[body['token_id']]}")
            return 200, self._put(named[body["token_id"]], body["expires_in_days"])
        return 404, {"detail": "Not Found"}


@contextmanager
def running() -> Iterator[FakeSkyPilot]:
    """One that answers."""
    fake = FakeSkyPilot()

    class Users(Handler):
        def respond(self) -> None:
            body = json.loads(self.body() or b"{}")
            code, values = fake.answer(self.command, self.path, body, self.headers.get("Authorization", ""))
            self.send_json(values, status=code)

    with serving(Users) as fake.endpoint:
        yield fake
