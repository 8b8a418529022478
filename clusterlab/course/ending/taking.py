"""A class's stack taken down by Pulumi: again after a failure, and after whoever is at it already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clusterlab.errors import BusyError, ClusterlabError

if TYPE_CHECKING:
    from clusterlab.course.events import Retained, State

PAUSES = (5.0, 15.0, 30.0)
"""Seconds after a failure."""
LOCK_PAUSE_SECONDS = 15.0
LOCK_TRIES = 80
"""How often a stack is asked for that somebody else is taking down: twenty minutes."""


class Stack(Protocol):
    """What Pulumi manages of a class."""

    def state(self) -> State:
        """What Pulumi knows of it."""

    def repair(self) -> None:
        """Forget what was under way when an update was killed."""

    def down(self, keep: Iterable[str] = ()) -> list[Retained]:
        """Take away all that the state knows, but for what is kept and what that stands on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taking:
    """A stack, and how long we wait."""

    stack: Stack
    sleep: Callable[[float], None]
    tell: Callable[[str], None] = lambda _: None
    """Told once who is waited for, who may be a dead one's lock."""

    def state(self) -> State:
        """What Pulumi knows of it.

        Raises:
            ClusterlabError: it cannot be asked.
        """
        return self.stack.state()

    def down(self, keep: Iterable[str]) -> list[Retained]:
        """Take it down, and say what is kept.

        Raises:
            ClusterlabError: it failed each time, or somebody else holds it for too long.
        """
        for pause in (*PAUSES, None):
            try:
                return self._unlocked(tuple(keep))
            except BusyError:
                raise
            except ClusterlabError:
                if pause is None:
                    raise
                self.sleep(pause)
        raise ClusterlabError("the stack was not taken down")

    def _unlocked(self, keep: tuple[str, ...]) -> list[Retained]:
        for tries in range(LOCK_TRIES):
            try:
                if self.stack.state().pending:
                    self.stack.repair()
                return self.stack.down(keep)
            except BusyError as error:
                if tries + 1 == LOCK_TRIES:
                    raise
                if not tries:
                    self.tell(f"waiting: {error}")
                self.sleep(LOCK_PAUSE_SECONDS)
        raise ClusterlabError("the stack was not taken down")
