"""Other wordings of a question: by a language model behind OpenAI's protocol, or by a script that says it is one."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clusterlab.errors import ClusterlabError
from jobs.load.conversation import worked
from jobs.load.target import PORTS, Target, split_url

SCRIPTED, SERVED = "scripted", "served"
PATH = "/v1/chat/completions"
MOST_BYTES = 2**20
"""Of a reply; what is longer is no list of questions."""
TOKENS = 32
"""Of a wording; a small model goes on and on."""
PROMPT = "You write a search query again in other words of the same meaning: {number} times, a line each, and no more."
WORKED = {
    "where are cheap flights": ("where are inexpensive air tickets", "at which place is low-cost air travel"),
    "which baker mended the lantern": ("what bread maker repaired the lamp", "who of the pastry cooks fixed the torch"),
}
"""Queries with other wordings, which stand before each as what was asked and answered earlier."""


class RewriteError(ClusterlabError):
    """No wordings came for one question."""


class Rewriter(Protocol):
    """Makes wordings."""

    def rewrite(self, query: str) -> list[str]:
        """Other wordings, at least one.

        Raises:
            RewriteError: there are none.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Scripted:
    """No model: puts other words of a table in the place of those that the query has."""

    words: Mapping[str, Sequence[str]]
    number: int

    def rewrite(self, query: str) -> list[str]:
        """See `Rewriter`; a query of which the table knows no word is its only wording."""
        found = []
        for place in range(self.number):
            parts = (self._other(word, place) for word in re.split(r"(\w+)", query))
            found.append("".join(parts))
        return list(dict.fromkeys(found))

    def _other(self, word: str, place: int) -> str:
        others = self.words.get(word.lower())
        return others[place % len(others)] if others else word


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A model that is asked."""

    endpoint: Target
    number: int
    limit_seconds: float
    """For the whole of one reply."""

    def rewrite(self, query: str) -> list[str]:
        """See `Rewriter`."""
        body = {"model": self.endpoint.model, "messages": self._messages(query)}
        status, reply = self._post(body | {"temperature": 0, "max_tokens": TOKENS * self.number})
        if status != http.client.OK:
            raise RewriteError(f"{self._url}: status {status}: {reply[:80]!r}")
        return wordings(_said(reply, self._url), self.number, self._url)

    def _messages(self, query: str) -> list[dict[str, str]]:
        """A conversation in which other queries were written again before."""
        examples = ((asked, "\n".join(others[: self.number])) for asked, others in WORKED.items())
        return worked(PROMPT.format(number=self.number), examples, query)

    @property
    def _url(self) -> str:
        return self.endpoint.url

    def _post(self, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and body, within the time limit as a whole: a server that sends a byte a second is too slow too."""
        deadline = time.monotonic() + self.limit_seconds
        connection = self._connection()
        key = self.endpoint.api_key
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            connection.request("POST", PATH, json.dumps(body), headers)
            response = connection.getresponse()
            reply = b""
            while len(reply) <= MOST_BYTES and (part := response.read1(65536)):
                reply += part
                if time.monotonic() > deadline:
                    raise TimeoutError
        except TimeoutError:
            raise RewriteError(f"{self._url}: no reply within {self.limit_seconds:g} s") from None
        except (http.client.HTTPException, OSError) as error:
            raise RewriteError(f"{self._url}: no reply: {error!r}") from error
        finally:
            connection.close()
        if len(reply) > MOST_BYTES:
            raise RewriteError(f"{self._url}: a reply of more than {MOST_BYTES // 2**20} MiB")
        return response.status, reply

    def _connection(self) -> http.client.HTTPConnection:
        parts = split_url(self._url)
        host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self.limit_seconds, context=context)
        return http.client.HTTPConnection(host, port, timeout=self.limit_seconds)


def wordings(said: str, number: int, url: str) -> list[str]:
    """The questions in what a model said: a JSON list, or what is nearly one, a line each.

    Raises:
        RewriteError: there are none.
    """
    inside = re.search(r"\[.*\]", said, re.DOTALL)
    try:
        values = json.loads(inside.group()) if inside else said.splitlines()
    except ValueError:
        values = said.splitlines()
    texts = [re.sub(r"^[\s\d.)*\-\"']+|[\s\"',]+$", "", value) for value in values if isinstance(value, str)]
    # A fence, and what announces a list, are no wordings.
    texts = [text for text in texts if not text.startswith("```") and not text.endswith(":")]
    found = [text for text in dict.fromkeys(texts) if any(letter.isalnum() for letter in text)]
    if not found:
        raise RewriteError(f"{url}: no wordings in {said[:80]!r}; allowed: a JSON list of strings, or a line each")
    return found[:number]


def _said(reply: bytes, url: str) -> str:
    try:
        said = json.loads(reply)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        said = None
    if not isinstance(said, str):
        raise RewriteError(f"{url}: no reply of OpenAI's protocol: {reply[:80]!r}")
    return said
