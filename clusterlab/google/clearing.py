"""The end of what a class has in a project of Google Cloud: asked for, and waited for until it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from clusterlab.google.compute import Compute, GoogleError
from clusterlab.google.scan import scan
from clusterlab.reaper.resource import Kind, Resource

PAUSES = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds between two looks; the last again and again."""
IN_THE_WAY = ("resourceInUseByAnotherResource", "resourceNotReady")
ORDER = list(Kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearing:
    """A project, and a class whose label its resources bear."""

    compute: Compute
    course: str
    patience_seconds: float = 300.0
    """How long what is ended may take to be gone."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = field(default=time.monotonic)

    def end(self, wanted: Iterable[Resource]) -> dict[str, str]:
        """End resources, and return by resource what is not gone, and why.

        A machine goes first, and with it the disks that are its own; what something uses waits for that.
        """
        ids, tries, began = {each.id for each in wanted}, 0, self.clock()
        asked: set[str] = set()
        errors: dict[str, str] = {}
        while ids:
            seen = scan(self.compute, self.course)
            failed = {f"{look.region}/{look.kind}": str(look) for look in seen.failed}
            there = [each for each in seen.resources if each.id in ids]
            if not there and not failed:
                return {}
            errors = failed | self._ask(there, asked)
            hopeful = failed or any(each.id in asked or each.key not in errors for each in there)
            if not hopeful or self.clock() - began > self.patience_seconds:
                return {each.key: f"{each}: still there" for each in there} | errors
            self.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1
        return errors

    def _ask(self, there: Sequence[Resource], asked: set[str]) -> dict[str, str]:
        """Ask for the end of what nothing uses and nobody asked for yet; by resource what was refused for good."""
        refused: dict[str, str] = {}
        for each in sorted(there, key=lambda each: ORDER.index(each.kind)):
            if each.id in asked or each.used_by:
                continue
            try:
                self.compute.delete(each.id)
                asked.add(each.id)
            except GoogleError as error:
                if error.reason in IN_THE_WAY or error.busy or error.status == 404:
                    continue
                refused[each.key] = f"{each}: {error}"
        return refused
