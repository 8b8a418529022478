"""What a protocol asks for answers: a model in this process, or one that is elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Protocol

from clusterlab.errors import ClusterlabError
from jobs.serving.asked import Asked, Piece
from jobs.serving.batching import StaticBatches
from jobs.serving.generator import Vocabulary


class BusyError(ClusterlabError):
    """Nobody can answer now; the same request may be asked again."""


class Backend(Protocol):
    """A model that answers."""

    @property
    def served_name(self) -> str:
        """What clients call it."""

    @property
    def adapters(self) -> Collection[str]:
        """What they call those of its adapters."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokens."""

    @property
    def max_model_len(self) -> int:
        """Tokens of a prompt and its answer together."""

    def pieces(self, asked: Asked) -> AsyncIterator[Piece]:
        """The answer as it comes; whoever stops listening gives up the rest.

        Raises:
            GenerationError: the model failed at it.
            BusyError: it cannot be answered now, and can be asked again.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Local:
    """A model in this process."""

    served_name: str
    vocabulary: Vocabulary
    max_model_len: int
    batches: StaticBatches
    adapters: Collection[str] = ()

    def pieces(self, asked: Asked) -> AsyncIterator[Piece]:
        """From the next batch with a place in it."""
        return self.batches.pieces(asked)
