"""Where a server is asked, for what, and with which key."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from clusterlab.errors import InputError, Problem

KEY_VARIABLE = "CLUSTERLAB_API_KEY"
"""SkyPilot sets it from the lab's `secrets:`."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A server that was ready to be asked."""

    url: str
    """Without a path: `http://127.0.0.1:8000`; OpenAI's protocol is below `/v1`."""
    model: str
    """The name that it serves the model by."""
    api_key: str | None = field(repr=False)
    """None where the server asks for none."""

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}


def key_of(environment: Mapping[str, str]) -> str:
    """The key that was given, else a new one, which only this process and its server then know.

    Raises:
        InputError: it could not be sent in a header. The message does not show it.
    """
    key = environment.get(KEY_VARIABLE) or secrets.token_urlsafe(32)
    if not all("!" <= letter <= "~" for letter in key):
        message = "has a space or a letter beyond ASCII; allowed: such as `openssl rand -hex 24` prints"
        raise InputError(Problem(path=KEY_VARIABLE, message=message))
    return key


def given(url: str, model: str, environment: Mapping[str, str]) -> Endpoint:
    """A server that somebody else started, with the key of the environment where there is one.

    Raises:
        InputError: the key could not be sent in a header.
    """
    key = key_of(environment) if environment.get(KEY_VARIABLE) else None
    return Endpoint(url=url.rstrip("/"), model=model, api_key=key)
