"""When requests arrive that nobody coordinates: a Poisson process, and a clock that keeps to it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


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
    """Call `arrive(number)` at each of the times of `time.perf_counter`, in a thread, while the block lasts.

    An event loop's own timers are rounded to milliseconds (epoll), which is as much as a null server takes.
    """
    stopped = threading.Event()

    def keep() -> None:
        for number, at in enumerate(times):
            if stopped.wait(max(0.0, at - time.perf_counter())):
                return
            arrive(number)

    thread = threading.Thread(target=keep, name="arrivals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
