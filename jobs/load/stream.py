"""The stream of a completion: server-sent events (WHATWG HTML, section 9.2) with OpenAI's objects in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import filterfalse
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
    found = list(payloads(parts))
    whole = any(data == END for _, data in found)
    said = [(at, data) for at, data in found if data != END]
    events = _objects([data for _, data in said])
    times = [at for (at, _), event in zip(said, events, strict=True) if event.get("choices")]
    counts = [event["usage"].get("completion_tokens", 0) for event in events if isinstance(event.get("usage"), dict)]
    return Stream(
        first_token=times[0] if times else None,
        last_token=times[-1] if times else None,
        tokens=int(counts[-1]) if counts else len(times),
        whole=whole,
        failed=any("error" in event for event in events),
    )


def _objects(found: Sequence[bytes]) -> list[dict[str, Any]]:
    """All events read as one list: each by itself takes the load generator twice the CPU."""
    events: list[dict[str, Any]] = []
    with suppress(ValueError):
        events = json.loads(b"[" + b",".join(found) + b"]")
    if len(events) == len(found) and all(isinstance(event, dict) for event in events):
        return events
    raise ValueError(f"{next(filterfalse(_is_object, found), found[0])[:80]!r}: no event of OpenAI's protocol")


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def payloads(parts: Iterable[Part]) -> Iterator[Part]:
    """The data of each event, with the time at which its line was complete."""
    rest = b""
    for at, part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield at, line[5:].strip()
