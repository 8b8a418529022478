"""What is asked: a server of OpenAI's protocol, and a model that it serves."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
"""Where a URL names none."""


class Target(Protocol):
    """What is asked; `jobs.serving.endpoint.Endpoint` is one."""

    @property
    def url(self) -> str:
        """Without a path, such as `http://127.0.0.1:8000`."""

    @property
    def model(self) -> str:
        """The name that the server knows the model by."""

    @property
    def api_key(self) -> str | None:
        """None where the server asks for none."""


def split_url(url: str) -> SplitResult:
    """The parts of a server's URL.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in PORTS or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("no URL of a server; allowed: without a path, such as http://127.0.0.1:8000")
    return parts
