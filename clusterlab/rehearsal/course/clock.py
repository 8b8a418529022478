"""The class's clock: this machine's until it is forwarded, and never back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(kw_only=True)
class Clock:
    """What time it is for the class, its cloud and its ledger."""

    source: Callable[[], datetime] = lambda: datetime.now(UTC)
    """This machine's."""
    _ahead: timedelta = timedelta()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """The time, in UTC."""
        with self._lock:
            return self.source() + self._ahead

    @property
    def ahead(self) -> timedelta:
        """By how much it was forwarded so far."""
        with self._lock:
            return self._ahead

    def forward(self, by: timedelta) -> datetime:
        """Let so much time pass at once, in which nobody computes; the time it is then."""
        if by < timedelta():
            raise ValueError(f"{by}: a clock does not go back")
        with self._lock:
            self._ahead += by
            return self.source() + self._ahead
