"""Where a target is asked: its host and port, and what every request to it begins with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.load.connection import Connection
from jobs.load.target import PORTS, Target, split_url


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One path of one server."""

    host: str
    port: int
    tls: bool
    head: str = field(repr=False)
    """Of a request, with the key and without its length."""

    @classmethod
    def of(cls, target: Target, path: str, *, accept: str) -> Address:
        """A path such as `/v1/completions`, and the type of what is to come back.

        Raises:
            InputError: the target's URL is none.
        """
        try:
            parts = split_url(target.url)
        except ValueError as error:
            raise InputError(Problem(path=target.url, message=str(error))) from error
        key = f"Authorization: Bearer {target.api_key}\r\n" if target.api_key else ""
        return cls(
            host=str(parts.hostname),
            port=parts.port or PORTS[parts.scheme],
            tls=parts.scheme == "https",
            head=f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{key}"
            f"Content-Type: application/json\r\nAccept: {accept}\r\n",
        )

    def request(self, body: Mapping[str, Any]) -> bytes:
        """What is sent, with its body as JSON."""
        content = json.dumps(body).encode()
        return f"{self.head}Content-Length: {len(content)}\r\n\r\n".encode() + content

    async def connect(self) -> Connection:
        """A new connection.

        Raises:
            OSError: there is none.
        """
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self.host, self.port, ssl=self.tls or None)
        return connection
