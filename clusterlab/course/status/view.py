"""One look at a class: everybody is asked at once, and what GPUs did at the looks before is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from clusterlab.course.status import looks
from clusterlab.course.status.gpu import Gpu, State, join, with_looks
from clusterlab.course.status.looks import Low
from clusterlab.course.status.meeting import Calendar
from clusterlab.course.status.part import SECONDS, Name, look
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.sources import Sources
from clusterlab.errors import InputError, StorageError

FILE = "gpu-looks.json"


@dataclass(kw_only=True)
class View:
    """A class that is looked at now and then."""

    sources: Sources
    memory: Path
    """The file that the looks are kept in: `classes/<course>/gpu-looks.json`."""
    clock: Callable[[], datetime]
    seconds: float = SECONDS
    _lows: dict[str, Low] | None = field(default=None)

    def snapshot(self) -> Snapshot:
        """Look once."""
        now = self.clock()
        parts = look(self.sources.asked(now), seconds=self.seconds)
        cluster = self.sources.cluster
        seen = Snapshot(
            course=cluster.course, at=now, calendar=Calendar.of(cluster, now), parts=parts, gpus=None, notes=()
        )
        found = _gpus(seen)
        if found is None:
            return seen
        notes = self._remember(found, now)
        return replace(seen, gpus=with_looks(found, self._lows or {}), notes=notes)

    def _remember(self, gpus: tuple[Gpu, ...], now: datetime) -> tuple[str, ...]:
        """Keep what was seen; a file that cannot be read or written keeps nobody from being shown anything."""
        notes = []
        try:
            before = looks.read(self.memory)
        except InputError as error:
            before = self._lows or {}
            notes.append(str(error))
        measured = [each for each in gpus if each.percent is not None and each.held]
        low = [each.key for each in measured if each.state in (State.LOW, State.IDLE)]
        self._lows = looks.after(before or self._lows or {}, low, [each.key for each in measured], now)
        try:
            if not notes and (self._lows or before):
                looks.write(self.memory, self._lows)
        except StorageError as error:
            notes.append(str(error))
        return tuple(notes)


def _gpus(seen: Snapshot) -> tuple[Gpu, ...] | None:
    """What Ray measures and what machines have; None where nobody said anything."""
    rays = seen.parts[Name.RAY].value
    if rays is None and seen.machines is None:
        return None
    return join((gpu for each in rays or () for gpu in each.gpus), seen.machines or ())
