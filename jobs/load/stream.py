"""The stream of a completion: server-sent events (WHATWG HTML, section 9.2) with OpenAI's objects in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Part = tuple[float, bytes]
"""When bytes of the body came, and the bytes."""
END = b"[DONE]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What a stream held."""

    first_token: float | None
    last_token: float | None
    tokens: int
    whole: bool
    """Its end was announced; a connection that just ends does not say that the answer is whole."""
    failed: bool
    """The server wrote an error into it."""


def read_stream(parts: Sequence[Part]) -> Stream:
    """Read the parts of a body.

    A token came when the line with it was complete. Servers put several tokens into one event when they are behind, so
    their own count is taken where they send one.

    Raises:
        ValueError: something in it is not OpenAI's.
    """
    times: list[float] = []
    counted: int | None = None
    whole = failed = False
    for at, data in payloads(parts):
        if data == END:
            whole = True
            continue
        event = _object(data)
        failed = failed or "error" in event
        if event.get("choices"):
            times.append(at)
        if isinstance(usage := event.get("usage"), dict):
            counted = int(usage.get("completion_tokens", 0))
    return Stream(
        first_token=times[0] if times else None,
        last_token=times[-1] if times else None,
        tokens=len(times) if counted is None else counted,
        whole=whole,
        failed=failed,
    )


def _object(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise ValueError(f"{data[:80]!r}: no event of OpenAI's protocol")
    return event


def payloads(parts: Iterable[Part]) -> Iterator[Part]:
    """The data of each event, with the time at which its line was complete."""
    rest = b""
    for at, part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield at, line[5:].strip()
