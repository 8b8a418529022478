"""One plain request over HTTP: what came back, or an answer that is on its way."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clusterlab.errors import ClusterlabError
from jobs.load.stream import END
from jobs.serving.endpoint import Endpoint

PATH = "/v1/completions"
LIMIT_SECONDS = 120
"""How long a server may be silent before it is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes

    def choice(self) -> dict[str, Any]:
        """The one choice of a completion.

        Raises:
            ClusterlabError: this is none.
        """
        try:
            choice: dict[str, Any] = json.loads(self.body)["choices"][0]
        except (ValueError, LookupError, TypeError) as error:
            raise ClusterlabError(f"no completion of OpenAI's protocol: {self.status}, {self.body[:80]!r}") from error
        return choice


def completion(endpoint: Endpoint, prompt: str, new_tokens: int, **values: Any) -> dict[str, Any]:
    """The body of a request for so many tokens, greedily; `ignore_eos` is an extension that our engines know."""
    same = {"model": endpoint.model, "prompt": prompt, "max_tokens": new_tokens, "temperature": 0, "ignore_eos": True}
    return same | values


def ask(endpoint: Endpoint, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Send a body, with the endpoint's key if no headers are given, and wait for the end of what comes back.

    Raises:
        ClusterlabError: there was no connection, or it ended before the answer.
    """
    connection = _send(endpoint, body, endpoint.headers if headers is None else headers)
    try:
        response = connection.getresponse()
        return Reply(status=response.status, body=response.read())
    except (http.client.HTTPException, OSError) as error:
        raise ClusterlabError(f"{endpoint.url}: gave no answer: {error!r}") from error
    finally:
        connection.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """An answer of which the first token has come."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse

    @classmethod
    def of(cls, endpoint: Endpoint, body: Mapping[str, Any]) -> Begun:
        """Ask for a stream, and wait for its first token.

        Raises:
            ClusterlabError: none came.
        """
        connection = _send(endpoint, {**body, "stream": True}, endpoint.headers)
        try:
            response = connection.getresponse()
            if response.status == http.client.OK and response.readline().startswith(b"data:"):
                return cls(connection=connection, response=response)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise ClusterlabError(f"{endpoint.url}: no answer began: {error!r}") from error
        connection.close()
        raise ClusterlabError(f"{endpoint.url}: no answer began, status {response.status}")

    def hang_up(self) -> None:
        """Leave in the middle of it."""
        self.response.close()
        self.connection.close()

    def whole(self) -> bool:
        """Read the rest: whether its end was announced."""
        try:
            return END in self.response.read()
        except (http.client.HTTPException, OSError):
            return False
        finally:
            self.hang_up()


def _send(
    endpoint: Endpoint, body: Mapping[str, Any] | bytes, headers: Mapping[str, str]
) -> http.client.HTTPConnection:
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=LIMIT_SECONDS)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request("POST", PATH, content, {"Content-Type": "application/json", **headers})
    except OSError as error:
        connection.close()
        raise ClusterlabError(f"{endpoint.url}: no connection: {error.strerror}") from error
    return connection
