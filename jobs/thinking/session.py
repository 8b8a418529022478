"""One method on all problems: some at a time, each attempt on the disk as soon as it is over, none made twice."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from jobs.launch.folder import report
from jobs.thinking.journal import A, Journal

P = TypeVar("P")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session(Generic[A]):
    """Where attempts are kept, and how many are made at one time."""

    journal: Journal[A]
    concurrency: int

    async def attempts(self, method: str, problems: Sequence[P], attempt: Callable[[int, P], Awaitable[A]]) -> list[A]:
        """Those of all problems, in their order; the first error ends it, and what was over by then is kept."""
        done = self.journal.of(method)
        left = iter([number for number in range(len(problems)) if number not in done])
        last = time.monotonic()

        async def work() -> None:
            nonlocal last
            for number in left:
                made = await attempt(number, problems[number])
                now = time.monotonic()
                done[number] = dataclasses.replace(made, seconds=now - last)
                last = now
                self.journal.add(done[number])
                right = sum(each.right for each in done.values())
                report(method, len(done), len(problems), accuracy=right / len(done))

        workers = [asyncio.create_task(work()) for _ in range(self.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [done[number] for number in range(len(problems))]
