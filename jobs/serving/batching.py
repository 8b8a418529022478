"""Static batches: requests that wait are gathered, computed together to the end of the longest, and then the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clusterlab.errors import ClusterlabError
from jobs.serving.asked import Asked, Piece
from jobs.serving.rows import Deliver

GATHER_SECONDS = 0.02
"""How long the first of a batch waits for others. Clients that had their answers together ask again within it."""

Run = Callable[[Sequence[Asked], Deliver, Callable[[int], bool]], None]
"""As `Generator.run`."""


class GenerationError(ClusterlabError):
    """The model failed at a batch; the server goes on with the next."""


@dataclass(kw_only=True, slots=True, eq=False)
class _Waiting:
    """One request, from when it came to its last piece."""

    asked: Asked
    pieces: asyncio.Queue[Piece | GenerationError] = field(default_factory=asyncio.Queue)
    gone: bool = False
    """Nobody waits for it any more."""


class StaticBatches:
    """Runs batches of at most `max_rows` one after the other, in a thread; one row is one request at a time."""

    def __init__(self, run: Run, *, max_rows: int) -> None:
        self._run, self._max_rows = run, max_rows
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def pieces(self, asked: Asked) -> AsyncIterator[Piece]:
        """The answer to a request, as it comes. Whoever stops listening gives up the rest.

        Raises:
            GenerationError: the model failed at it.
        """
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        waiting = _Waiting(asked=asked)
        self._waiting.put_nowait(waiting)
        try:
            while True:
                piece = await waiting.pieces.get()
                if isinstance(piece, GenerationError):
                    raise piece
                yield piece
                if piece.finish is not None:
                    return
        finally:
            waiting.gone = True

    async def _work(self) -> None:
        while True:
            batch = await self._gather()
            if not batch:
                continue
            running = asyncio.create_task(self._compute(batch))
            await asyncio.wait([running])
            if (error := running.exception()) is not None:
                for waiting in batch:
                    waiting.pieces.put_nowait(GenerationError(f"{type(error).__name__}: {error}"))

    async def _gather(self) -> list[_Waiting]:
        batch = [await self._waiting.get()]
        if self._max_rows > 1:
            try:
                async with asyncio.timeout(GATHER_SECONDS):
                    while len(batch) < self._max_rows:
                        batch.append(await self._waiting.get())
            except TimeoutError:
                pass
        return [waiting for waiting in batch if not waiting.gone]

    async def _compute(self, batch: Sequence[_Waiting]) -> None:
        loop = asyncio.get_running_loop()

        def hand_out(pieces: Mapping[int, Piece]) -> None:
            for number, piece in pieces.items():
                batch[number].pieces.put_nowait(piece)

        def deliver(pieces: Mapping[int, Piece]) -> None:
            # Once for all rows of a step: waking the loop costs more than handing out.
            loop.call_soon_threadsafe(hand_out, pieces)

        await asyncio.to_thread(self._run, [waiting.asked for waiting in batch], deliver, lambda row: batch[row].gone)
