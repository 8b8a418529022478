"""A replica of Ray Serve that holds a model: dynamic batches, streams, and adapters that are loaded when asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

from ray import serve

from jobs.serving.asked import Asked, Piece
from jobs.serving.generator import Generator

MAX_ADAPTERS = 4
"""In a replica at one time; the one that was used the longest ago makes room."""
WAIT_SECONDS = 0.02
"""How long the first of a batch waits for others."""


class Replica:
    """One copy of the weights. `max_rows` of 1 is without batching."""

    def __init__(self, model: Mapping[str, Any], adapters: Mapping[str, str], max_rows: int) -> None:
        self._generator = Generator(**model)
        self._adapters = dict(adapters)
        self._evicted: set[str] = set()
        self._one_batch = asyncio.Lock()
        for batched in (self._whole, self._stream):
            batched.set_max_batch_size(max_rows)
            batched.set_batch_wait_timeout_s(WAIT_SECONDS if max_rows > 1 else 0)

    async def whole(self, asked: Asked) -> Piece:
        """An answer in one piece."""
        await self._ready(asked)
        piece: Piece = await self._whole(asked)
        return piece

    async def stream(self, asked: Asked) -> AsyncIterator[Piece]:
        """An answer as it comes."""
        await self._ready(asked)
        async for piece in self._stream(asked):
            yield piece

    async def pid(self) -> int:
        """Of this replica's process."""
        return os.getpid()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=WAIT_SECONDS)
    async def _whole(self, batch: list[Asked]) -> list[Piece]:
        found: dict[int, Piece] = {}
        async with self._one_batch:
            await asyncio.to_thread(self._run, batch, found.update)
        return [found[number] for number in range(len(batch))]

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=WAIT_SECONDS)
    async def _stream(self, batch: list[Asked]) -> AsyncGenerator[list[Any], None]:
        """What each step made, by row: a piece, or StopIteration where there is no more."""
        loop, steps = asyncio.get_running_loop(), asyncio.Queue[Mapping[int, Piece] | None]()
        async with self._one_batch:
            running = asyncio.create_task(
                asyncio.to_thread(self._run, batch, lambda pieces: loop.call_soon_threadsafe(steps.put_nowait, pieces))
            )
            running.add_done_callback(lambda _: steps.put_nowait(None))
            while (pieces := await steps.get()) is not None:
                yield [pieces.get(number, StopIteration) for number in range(len(batch))]
            await running

    @serve.multiplexed(max_num_models_per_replica=MAX_ADAPTERS)
    async def _adapter(self, name: str) -> _Loaded:
        async with self._one_batch:
            await asyncio.to_thread(self._generator.load_adapter, name, self._adapters[name])
        self._evicted.discard(name)
        return _Loaded(self._evicted, name)

    async def _ready(self, asked: Asked) -> None:
        if asked.adapter is not None:
            await self._adapter(asked.adapter)

    def _run(self, batch: Sequence[Asked], deliver: Any) -> None:
        wanted = {asked.adapter for asked in batch if asked.adapter is not None}
        # Between two batches, since none may go while one is computed with it.
        for name in self._evicted - wanted:
            self._generator.drop_adapter(name)
            self._evicted.discard(name)
        # Between its loading and its batch an adapter may have made room for others.
        for name in wanted:
            self._generator.load_adapter(name, self._adapters[name])
        self._generator.run(batch, deliver)


class _Loaded:
    """An adapter while Ray Serve counts it among those of a replica."""

    def __init__(self, evicted: set[str], name: str) -> None:
        self._evicted, self._name = evicted, name
        self._counted = True

    def __del__(self) -> None:
        """Ray Serve calls it when others need the place, from any thread; Python once more, much later."""
        if self._counted:
            self._counted = False
            self._evicted.add(self._name)
