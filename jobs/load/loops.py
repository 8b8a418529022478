"""Closed loop: so many clients, each asks again when it has its answer. Open loop: requests come when they come.

In a closed loop a server that stalls is asked less, so the stall counts once a client, however long it was
("coordinated omission", Gil Tene). In an open loop every request that had to be sent meanwhile waits, and that counts.

    import uvloop
    outcomes = uvloop.run(open_loop(endpoint, prompts, rate=4, seed=0, limit_seconds=60))
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jobs.load.arrivals import keeping_time, poisson
from jobs.load.client import Asked, Client
from jobs.load.outcome import Outcome
from jobs.load.prompts import Prompt
from jobs.load.target import Target

LEAD_SECONDS = 0.05
"""Between the making of requests and the begin of the first."""


async def closed(target: Target, prompts: Sequence[Prompt], *, concurrency: int, limit_seconds: float) -> list[Outcome]:
    """Ask with every prompt, never more than `concurrency` at one time; each is waited for at most the limit.

    Returns the outcomes client by client.

    Raises:
        InputError: the target has no URL.
        ClusterlabError: this machine has no connection left to open.
    """
    client = _client(target, limit_seconds)
    requests = iter([client.request(prompt) for prompt in prompts])

    async def ask_on() -> list[Asked]:
        return [await client.ask(request) for request in requests]

    with _ending(client) as tasks:
        tasks += [asyncio.create_task(ask_on()) for _ in range(concurrency)]
        return [asked.outcome() for by_client in await asyncio.gather(*tasks) for asked in by_client]


async def open_loop(
    target: Target, prompts: Sequence[Prompt], *, rate: float, seed: int, limit_seconds: float
) -> list[Outcome]:
    """Ask with every prompt, at `rate` a second on average as a Poisson process, whatever the server does.

    Returns the outcomes in the order of their arrivals.

    Raises:
        InputError: the target has no URL.
        ClusterlabError: this machine has no connection left to open.
    """
    client = _client(target, limit_seconds)
    requests = [client.request(prompt) for prompt in prompts]
    if not requests:
        return []
    begin = time.perf_counter() + LEAD_SECONDS
    times = [begin + at for at in poisson(len(prompts), rate=rate, seed=seed)]
    loop = asyncio.get_running_loop()
    all_arrived = loop.create_future()
    with _ending(client) as tasks:

        def arrive(number: int) -> None:
            tasks.append(loop.create_task(client.ask(requests[number], times[number])))
            if number == len(requests) - 1:
                all_arrived.set_result(None)

        with keeping_time(times, arrive):
            await all_arrived
        return [asked.outcome() for asked in await asyncio.gather(*tasks)]


@contextmanager
def _ending(client: Client) -> Iterator[list[asyncio.Task[Any]]]:
    """Tasks that are ended with the block, and the client's connections with them."""
    tasks: list[asyncio.Task[Any]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        client.close()


def _client(target: Target, limit_seconds: float) -> Client:
    # A connection is an open file, and the usual limit of 1,024 is soft.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return Client(target, limit_seconds=limit_seconds)
