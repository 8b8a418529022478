"""What may be spent on thinking, and what was: no method asks without end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from clusterlab.errors import ClusterlabError

SECONDS_PER_HOUR = 3600


class Taken(Protocol):
    """What something that was tried took."""

    @property
    def requests(self) -> int:
        """That were asked."""

    @property
    def prompt_tokens(self) -> int:
        """Read."""

    @property
    def new_tokens(self) -> int:
        """Written."""

    @property
    def seconds(self) -> float:
        """In which it was answered."""


class SpentError(ClusterlabError):
    """A limit of the whole run is reached."""


@dataclass(kw_only=True, slots=True)
class Budget:
    """Limits of one run, over all methods and problems; what an earlier attempt spent counts."""

    max_requests: int
    max_tokens: int
    """Read and written."""
    max_usd: float
    usd_per_hour: Decimal
    """Of the machine that answers."""
    requests: int = 0
    tokens: int = 0
    seconds: float = 0
    """In which earlier methods and attempts were answered."""
    _begun: float = field(default_factory=time.monotonic)

    @classmethod
    def after(
        cls, earlier: Iterable[Taken], *, max_requests: int, max_tokens: int, max_usd: float, usd_per_hour: Decimal
    ) -> Budget:
        """What is left after what these took."""
        earlier = list(earlier)
        return cls(
            max_requests=max_requests,
            max_tokens=max_tokens,
            max_usd=max_usd,
            usd_per_hour=usd_per_hour,
            requests=sum(each.requests for each in earlier),
            tokens=sum(each.prompt_tokens + each.new_tokens for each in earlier),
            seconds=sum(each.seconds for each in earlier),
        )

    @property
    def usd(self) -> float:
        """What the machine has cost so far."""
        return self.usd_of(self.seconds + time.monotonic() - self._begun)

    def usd_of(self, seconds: float) -> float:
        """What the machine costs in this time."""
        return float(self.usd_per_hour) * seconds / SECONDS_PER_HOUR

    def take_request(self) -> None:
        """Before each request.

        Raises:
            SpentError: a limit is reached.
        """
        for name, spent, most in (
            ("MAX_REQUESTS", self.requests, self.max_requests),
            ("MAX_TOKENS", self.tokens, self.max_tokens),
            ("MAX_USD", self.usd, self.max_usd),
        ):
            if spent >= most:
                raise SpentError(f"{name}={most:g}: spent; what was answered is kept in the run's folder")
        self.requests += 1

    def count(self, tokens: int) -> None:
        """After each answer."""
        self.tokens += tokens
