"""A model whose replicas Ray Serve keeps. No accepted request is lost with a replica: another begins it again."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from typing import Any

from jobs.serving.asked import Asked, Piece
from jobs.serving.backend import BusyError
from jobs.serving.batching import GenerationError
from jobs.serving.generator import Vocabulary

ATTEMPTS = 5
"""How often a request is begun, each time because the replica before it died."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnRay:
    """A handle to the replicas of one model."""

    served_name: str
    vocabulary: Vocabulary
    max_model_len: int
    handle: Any
    """A `ray.serve.handle.DeploymentHandle` of `jobs.serving.ray_replica.Replica`."""
    adapters: Collection[str] = ()

    async def pieces(self, asked: Asked) -> AsyncIterator[Piece]:
        """From the replica with the fewest requests, one that has the adapter first.

        An answer that is begun again says what it said before: its seed is chosen here if it has none.

        Raises:
            GenerationError: the model failed at it.
            BusyError: every replica that began it died.
        """
        from ray.exceptions import RayActorError, RayTaskError
        from ray.serve.exceptions import BackPressureError

        asked = replace(asked, seed=random.randrange(2**31) if asked.seed is None else asked.seed)
        num_sent = 0
        for _ in range(ATTEMPTS):
            try:
                number = 0
                async for piece in self._begin(asked):
                    number += 1
                    if number > num_sent:
                        num_sent = number
                        yield piece
                return
            except RayActorError:
                continue
            except BackPressureError as error:
                raise BusyError(f"{self.served_name}: too many requests wait; ask again") from error
            except RayTaskError as error:
                raise GenerationError(f"{type(error.cause).__name__}: {error.cause}") from error
        raise BusyError(f"{self.served_name}: {ATTEMPTS} replicas died at it; ask again")

    async def _begin(self, asked: Asked) -> AsyncIterator[Piece]:
        handle = self.handle.options(stream=asked.streamed, multiplexed_model_id=asked.adapter or "")
        response = handle.stream.remote(asked) if asked.streamed else handle.whole.remote(asked)
        ended = False
        try:
            if asked.streamed:
                async for piece in response:
                    yield piece
            else:
                yield await response
            ended = True
        finally:
            if not ended:
                response.cancel()
