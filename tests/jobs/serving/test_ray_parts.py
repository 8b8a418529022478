"""What stands in front of replicas, with stand-ins that die: no Ray is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from jobs.serving.asked import Asked, Finish, Piece
from jobs.serving.backend import BusyError
from jobs.serving.generator import Vocabulary
from jobs.serving.ray_backend import ATTEMPTS, OnRay


class _Replicas:
    """A handle whose replicas die after so many pieces, each in turn."""

    def __init__(self, dying_after: list[int]) -> None:
        self.dying_after, self.cancelled = dying_after, 0
        self.seeds: list[int | None] = []

    def options(self, **_: Any) -> _Replicas:
        return self

    @property
    def stream(self) -> _Replicas:
        return self

    def remote(self, asked: Asked) -> _Replicas:
        self.seeds.append(asked.seed)
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    async def __aiter__(self) -> AsyncIterator[Piece]:
        until = self.dying_after[len(self.seeds) - 1]
        for number in range(min(until, 5)):
            yield Piece(tokens=(number,), text=str(number), finish=Finish.LENGTH if number == 4 else None)
        if until < 5:
            raise ActorDiedError


def _told(replicas: _Replicas) -> list[int]:
    vocabulary = Vocabulary(tokenizer=None, size=9)
    backend = OnRay(served_name="small", vocabulary=vocabulary, max_model_len=9, handle=replicas)

    async def everything() -> list[int]:
        asked = Asked(prompt=(1,), max_tokens=5, temperature=1, streamed=True)
        return [token async for piece in backend.pieces(asked) for token in piece.tokens]

    return asyncio.run(everything())


def test_a_stream_whose_replica_dies_goes_on_where_it_was() -> None:
    replicas = _Replicas([2, 0, 4, 5])
    assert _told(replicas) == [0, 1, 2, 3, 4]
    # Drawn by one seed, so that each says what the one before had said.
    assert len(replicas.seeds) == 4
    assert len(set(replicas.seeds)) == 1
    assert replicas.seeds[0] is not None


def test_a_request_at_which_every_replica_dies_may_be_asked_again() -> None:
    replicas = _Replicas([0] * ATTEMPTS)
    with pytest.raises(BusyError, match=r"^small: 5 replicas died at it; ask again$"):
        _told(replicas)
    assert len(replicas.seeds) == ATTEMPTS
