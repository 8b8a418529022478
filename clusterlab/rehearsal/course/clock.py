"""The class's clock: this machine's until it is forwarded, and never back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(kw_only=True)
class Clock:
    """What time it is for the class, its cloud and its ledger."""

    source: Callable[[], datetime] = lambda: datetime.now(UTC)
    """This machine's."""
    _ahead: timedelta = timedelta()
    _since: datetime | None = None
    _pace: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """The time, in UTC."""
        with self._lock:
            return self._now()

    @property
    def ahead(self) -> timedelta:
        """By how much it was forwarded so far."""
        with self._lock:
            real = self.source()
            return self._at(real) - real

    def forward(self, by: timedelta) -> datetime:
        """Let so much time pass at once, in which nobody computes; the time it is then."""
        if by < timedelta():
            raise ValueError(f"{by}: a clock does not go back")
        with self._lock:
            self._ahead += by
            return self._now()

    @contextmanager
    def pace(self, factor: int) -> Iterator[None]:
        """Let it run so many times as fast as this machine's."""
        self._go(factor)
        try:
            yield
        finally:
            self._go(1)

    def _go(self, factor: int) -> None:
        with self._lock:
            real = self.source()
            self._ahead = self._at(real) - real
            self._since, self._pace = real, factor

    def _now(self) -> datetime:
        return self._at(self.source())

    def _at(self, real: datetime) -> datetime:
        run = timedelta() if self._since is None else (real - self._since) * (self._pace - 1)
        return real + self._ahead + run
