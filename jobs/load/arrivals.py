"""When requests arrive that nobody coordinates: a Poisson process, and a clock that keeps to it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_MONOTONIC, _ABSOLUTE = 1, 1
"""`CLOCK_MONOTONIC`, which is `time.perf_counter` on Linux, and `TFD_TIMER_ABSTIME` of timerfd_create(2)."""


def poisson(num: int, *, rate: float, seed: int) -> list[float]:
    """Seconds from the begin to each of so many arrivals, `rate` a second on average; the same for the same seed."""
    chosen = random.Random(seed)
    at, arrivals = 0.0, []
    for _ in range(num):
        at += chosen.expovariate(rate)
        arrivals.append(at)
    return arrivals


@contextmanager
def keeping_time(times: Sequence[float], arrive: Callable[[int], object]) -> Iterator[None]:
    """Call `arrive(number)` in the running event loop at each of the times of `time.perf_counter`, in the block.

    An event loop's own timers are rounded to milliseconds (epoll), which is as much as a null server takes, and a
    thread of its own would wake beside the loop for every request. So the kernel wakes the loop (Linux: timerfd).
    """
    loop, waiting = asyncio.get_running_loop(), deque(enumerate(times))
    timer = _Timer()

    def go_on() -> None:
        timer.read()
        now = time.perf_counter()
        while waiting and waiting[0][1] <= now:
            arrive(waiting.popleft()[0])
        if waiting:
            timer.set(waiting[0][1])

    loop.add_reader(timer.file, go_on)
    try:
        timer.set(times[0])
        yield
    finally:
        loop.remove_reader(timer.file)
        timer.close()


class _Span(ctypes.Structure):
    """`struct timespec`."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    """`struct itimerspec`; a timer without an interval rings once."""

    _fields_ = (("interval", _Span), ("value", _Span))


class _Timer:
    """A file that can be read once its time has come; from Python 3.13 on `os` has it."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.file = int(self._libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        if self.file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Setting()

    def set(self, at: float) -> None:
        """Ring at this time of `time.perf_counter`, at once if it is over."""
        seconds, rest = divmod(at, 1)
        self._setting.value = _Span(int(seconds), int(rest * 1e9))
        self._libc.timerfd_settime(self.file, _ABSOLUTE, ctypes.byref(self._setting), None)

    def read(self) -> None:
        """Take note that it has rung."""
        os.read(self.file, 8)

    def close(self) -> None:
        os.close(self.file)
