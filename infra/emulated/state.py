"""What a program has made so far, in a file: after one that was killed another goes on, as with an engine's state.

A line says that a resource is about to be made, and another, once it is, with its id and outputs. Of one that has only
the first nobody knows whether it is there, as of a pending operation in Pulumi's state.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.errors import InputError, Problem
from infra.emulated.resource import Made


@dataclass(kw_only=True)
class State:
    """The resources of one stack; kept in memory only where there is no path."""

    path: Path | None = None
    cut_off: str | None = None
    """A type after whose first resource the power goes, before the state hears of it: for rehearsals."""
    made: dict[str, Made] = field(default_factory=dict)
    """By type and name of the resource, and where its provider makes it."""
    adopted: int = 0
    """How many were there already."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path | None, *, cut_off: str | None = None) -> State:
        """What lies there; nothing where there is no file.

        Raises:
            InputError: it cannot be read.
        """
        found = {key: made for key, made in read(path) if made} if path and path.exists() else {}
        return cls(path=path, cut_off=cut_off, made=found)

    def keep(self, key: str, make: Callable[[], Made]) -> Made:
        """The resource that is there, or one that is made now; one at a time, so that one at most is pending."""
        if self.path is None:
            return make()
        with self._lock:
            if key in self.made:
                self.adopted += 1
                return self.made[key]
            self._note(self.path, key, None)
            made = make()
            if self.cut_off and key.startswith(self.cut_off):
                os.kill(os.getpid(), signal.SIGKILL)
            self._note(self.path, key, made)
            self.made[key] = made
            return made

    def _note(self, path: Path, key: str, made: Made | None) -> None:
        values = made and {"id": made.id, "outputs": made.outputs}
        with path.open("a") as file:
            file.write(json.dumps({"resource": key, "made": values}) + "\n")


def read(path: Path) -> Iterator[tuple[str, Made | None]]:
    """Each line: a resource, and what it became; None where it was only begun.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for each in lines:
            yield each["resource"], Made(**each["made"]) if each["made"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"no state of a program: {error!r}; allowed: a file that `--state` wrote"
        raise InputError(Problem(path=str(path), message=message)) from error
