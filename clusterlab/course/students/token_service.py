"""What gives students tokens: the course server's SkyPilot 0.14.1, asked as its administrator.

A token's name is the student's, and SkyPilot takes each name once.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.loopback import is_loopback

ADMIN = "admin"
TOKENS = "/users/service-account-tokens"
WHO = "/users/role"
"""What any token that is taken may ask."""
HEALTH = "/api/health"
WELL = ("healthy", "needs_auth")
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A token as the server lists it, which says of it all but the token itself."""

    id: str
    expires_at: float | None
    """Seconds since 1970, UTC; None for never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenService:
    """A server, and how one is let in."""

    endpoint: str
    password: str = field(repr=False)
    authority: Path | None = None
    """The certificate of a server that signed its own."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ClusterlabError(f"{self.endpoint}: not encrypted, and a password would go there; allowed: https://")

    def is_well(self) -> bool:
        """Whether it answers; of one that asks who is there, too."""
        try:
            code, answer = self._call("GET", HEALTH, None, {})
        except UnreachableError:
            return False
        return code == http.client.OK and str(answer.get("status")) in WELL

    def held(self) -> dict[str, Held]:
        """The tokens that there are, by name.

        Raises:
            ClusterlabError: it refuses, or does not answer.
        """
        listed = self._asked("GET", "").get("tokens", [])
        return {
            str(each["token_name"]): Held(id=str(each["token_id"]), expires_at=each["expires_at"]) for each in listed
        }

    def create(self, name: str, *, days: int) -> str:
        """A token of a name that has none.

        Raises:
            ClusterlabError: it refuses, or does not answer.
        """
        return str(self._asked("POST", "", {"token_name": name, "expires_in_days": days})["token"])

    def rotate(self, held: Held, *, days: int) -> str:
        """Another token in the place of one that is no longer taken from then on.

        Raises:
            ClusterlabError: it refuses, or does not answer.
        """
        return str(self._asked("POST", "/rotate", {"token_id": held.id, "expires_in_days": days})["token"])

    def takes(self, token: str) -> bool:
        """Whether a token is taken.

        Raises:
            UnreachableError: it does not answer.
        """
        return self._call("GET", WHO, None, {"Authorization": f"Bearer {token}"})[0] == http.client.OK

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        pair = base64.b64encode(f"{ADMIN}:{self.password}".encode()).decode()
        code, answer = self._call(method, TOKENS + path, body, {"Authorization": f"Basic {pair}"})
        if code != http.client.OK:
            told = f"{self.endpoint}{TOKENS}{path}: {code} {answer.get('detail', '')}".rstrip()
            raise ClusterlabError(told)
        return answer

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, Any]]:
        """The status of an answer and its JSON; a list of tokens as `tokens`."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.endpoint + path, data=data, headers=sent, method=method)  # noqa: S310
        context = None
        if self.endpoint.startswith("https:"):
            context = ssl.create_default_context(cafile=self.authority)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
                return answer.status, _values(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _values(error.read())
        except (OSError, http.client.HTTPException) as error:
            told = f"{type(error).__name__}: {getattr(error, 'reason', error)}"
            raise UnreachableError(f"{self.endpoint}{path}: {told}") from error


def _values(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {"detail": text[:200].decode(errors="replace")}
    if isinstance(found, list):
        return {"tokens": found}
    return found if isinstance(found, dict) else {"detail": str(found)}
