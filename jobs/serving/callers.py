"""Clients that wait for whole answers: how many tokens a second they get, and how their requests ended."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from clusterlab.errors import ClusterlabError
from jobs.load.prompts import Prompt
from jobs.serving.asking import ask, completion
from jobs.serving.endpoint import Endpoint

LOST = 0
"""In place of a status where the connection ended without one."""


@dataclass(kw_only=True, slots=True)
class Calls:
    """What clients were answered so far."""

    num_tokens: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, endpoint: Endpoint, prompt: Prompt) -> None:
        """Ask once, without a stream, and count."""
        try:
            reply = ask(endpoint, completion(endpoint, str(prompt.text), prompt.new_tokens))
            status = reply.status
            tokens = json.loads(reply.body)["usage"]["completion_tokens"] if status == HTTPStatus.OK else 0
        except ClusterlabError:
            status, tokens = LOST, 0
        with self._lock:
            self.statuses[status] += 1
            self.num_tokens += tokens

    @property
    def share_done(self) -> float:
        """Of requests that were answered with what they asked for."""
        return self.statuses[HTTPStatus.OK] / max(1, self.statuses.total())

    @property
    def share_kept(self) -> float:
        """Of requests that were answered, or told to ask again."""
        kept = self.statuses[HTTPStatus.OK] + self.statuses[HTTPStatus.SERVICE_UNAVAILABLE]
        return kept / max(1, self.statuses.total())


def tokens_per_second(endpoint: Endpoint, prompts: list[Prompt], *, clients: int) -> float:
    """Of so many clients, each of which asks again when it has its answer.

    Raises:
        ClusterlabError: one was not answered.
    """
    calls, begin = Calls(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda prompt: calls.call(endpoint, prompt), prompts))
    if calls.share_done < 1:
        raise ClusterlabError(f"{endpoint.url}: not all were answered: {dict(calls.statuses)}")
    return calls.num_tokens / (time.perf_counter() - begin)


@contextmanager
def asking_on(endpoint: Endpoint, prompts: list[Prompt], *, clients: int) -> Iterator[Calls]:
    """So many clients that ask again and again while the block lasts; at its end the last answers are waited for."""
    calls, ending = Calls(), threading.Event()
    turn = itertools.cycle(prompts)

    def ask_on() -> None:
        while not ending.is_set():
            calls.call(endpoint, next(turn))

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask_on) for _ in range(clients)]
        try:
            yield calls
        finally:
            ending.set()
        for each in asking:
            each.result()
