"""What became of one request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How a request ended."""

    DONE = "done"
    """The whole answer came."""
    REFUSED = "refused"
    """There was no connection."""
    REJECTED = "rejected"
    """The server said that the request is wrong: a status below 500 that is not 200."""
    FAILED = "failed"
    """The server said that it failed: a status from 500 on, or an error within the stream."""
    BROKEN = "broken"
    """The connection ended before the answer did, or what came was no stream of OpenAI's protocol."""
    TIMED_OUT = "timed_out"
    """The answer was not whole within the time limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One request. Times are seconds of this machine's monotonic clock, `time.perf_counter`."""

    scheduled: float
    """When it had to be sent. All latencies count from here, so that a sender that was held up hides nothing."""
    sent: float
    ended: float
    ending: Ending
    status: int | None = None
    """Of HTTP; None where none came."""
    first_token: float | None = None
    last_token: float | None = None
    tokens: int = 0
    """As the server counted them, else the events with text."""

    @property
    def ttft(self) -> float | None:
        """Time to the first token, in seconds."""
        return None if self.first_token is None else self.first_token - self.scheduled

    @property
    def tpot(self) -> float | None:
        """Time per output token after the first, in seconds; None of fewer than two tokens."""
        if self.first_token is None or self.last_token is None or self.tokens < 2:
            return None
        return (self.last_token - self.first_token) / (self.tokens - 1)

    @property
    def latency(self) -> float:
        """Seconds to the last token, or to whatever ended it."""
        return (self.last_token or self.ended) - self.scheduled
