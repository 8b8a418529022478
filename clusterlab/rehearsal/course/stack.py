"""The stack of a class that is rehearsed, as its end asks for it: what `infra.emulated` made, in place of Pulumi's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.course.events import Retained, State

STACK = "stack.jsonl"
ENDED = "stack-ended.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatedStack:
    """Whose `destroy` deletes nothing: it lets go of what it made, and who ends the class ends that by its tag.

    So `class down` is rehearsed as of a stack that Pulumi fails at. What costs nothing by the hour stays.
    """

    folder: Path
    """Of the rehearsal, where the program has its state."""

    @property
    def path(self) -> Path:
        """The state, a line for each resource that was begun or made; none where nothing was."""
        return self.folder / STACK

    def known(self) -> tuple[str, ...]:
        """The ids of what was made."""
        return tuple(line["made"]["id"] for line in self._lines() if line["made"])

    def state(self) -> State:
        """As Pulumi would tell it."""
        from clusterlab.course.events import State

        made = {line["resource"] for line in self._lines() if line["made"]}
        begun = {line["resource"]: None for line in self._lines() if line["resource"] not in made}
        pending = tuple(f"creating {each}" for each in begun)
        return State(exists=self.path.exists(), known=self.known(), pending=pending)

    def repair(self) -> None:
        """Nothing is to be done: what was begun is found by its tag."""

    def down(self, keep: Iterable[str] = ()) -> list[Retained]:
        """Let go of all of it; what is kept is kept by the sweep that follows."""
        del keep
        if self.path.exists():
            self.path.replace(self.folder / ENDED)
        return []

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.path.exists():
            yield from map(json.loads, self.path.read_text().splitlines())
