"""Serve on, for others to ask, as long as the server is well."""

from __future__ import annotations

import time

from clusterlab.errors import UnreachableError
from jobs.serving.endpoint import Endpoint
from jobs.serving.engine import Engine
from jobs.serving.server import healthy

POLL_SECONDS = 1.0
SILENT_SECONDS = 60
"""How long a server may be too busy to say that it is well."""


def hold(engine: Engine, endpoint: Endpoint, *, seconds: float) -> None:
    """Return when the time is over.

    Raises:
        UnreachableError: the server was not well for `SILENT_SECONDS`; a machine that serves nothing costs as much.
    """
    end = time.monotonic() + seconds
    well = time.monotonic()
    while (now := time.monotonic()) < end:
        if healthy(engine, endpoint):
            well = time.monotonic()
        elif now - well > SILENT_SECONDS:
            raise UnreachableError(f"{endpoint.url}: was not well for {SILENT_SECONDS:g} s, while it was to be served")
        time.sleep(min(POLL_SECONDS, max(0.0, end - now)))
