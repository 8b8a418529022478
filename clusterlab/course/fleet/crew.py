"""Run errands side by side, so many at once: the failure of one stops no other, and what may pass is tried again.

A request goes on in SkyPilot's server, whoever asked for it; here nothing waits but one loop, so that a cluster in
flight costs this process some 2 kB.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clusterlab.course.fleet.errand import ENDED, Errand, Phase
from clusterlab.course.fleet.launcher import PASSES, Fault, Launcher, LaunchError
from clusterlab.errors import UnreachableError

AT_ONCE = 8
"""Requests in flight: each is a process of SkyPilot's server, of some hundred MB."""
TRIES = 6
POLL_SECONDS = 2.0
PAUSE_SECONDS = 15.0
"""Before the second try; twice as long before each further one."""
LONGEST_PAUSE_SECONDS = 240.0
OUTAGE_SECONDS = 600.0
"""How long SkyPilot's server may be gone, as when it is started anew."""

Tell = Callable[[Sequence[Errand], float], None]


@dataclass(kw_only=True)
class Crew:
    """Who runs errands."""

    launcher: Launcher
    at_once: int = AT_ONCE
    tries: int = TRIES
    tell: Tell | None = None
    """Told after each look, with the crew's clock."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    """From 0 to 1, for the pauses: of many that were throttled together, not all come again together."""
    most_at_once: int = 0
    """Requests that were in flight together, so far."""
    _silent_since: float | None = field(default=None, init=False)

    def run(self, errands: Sequence[Errand]) -> None:
        """Run them all to their end.

        Raises:
            UnreachableError: SkyPilot's server has not answered for ten minutes.
        """
        while True:
            self._begin(errands)
            self._show(errands)
            if all(errand.phase in ENDED for errand in errands):
                return
            self.sleep(POLL_SECONDS)
            self._collect(errands)

    def _begin(self, errands: Sequence[Errand]) -> None:
        in_flight = sum(errand.phase is Phase.ASKED for errand in errands)
        for errand in errands:
            if in_flight >= self.at_once:
                break
            if errand.phase is Phase.WAITING and errand.not_before <= self.clock():
                in_flight += self._ask(errand)
                # Each asking takes a second or two.
                self._show(errands)
        self.most_at_once = max(self.most_at_once, in_flight)

    def _ask(self, errand: Errand) -> bool:
        """Whether it is in flight now."""
        if errand.began is None:
            errand.began = self.clock()
        try:
            request = errand.ask()
        except LaunchError as error:
            self._heard()
            errand.tries += 1
            self._failed(errand, error)
        except UnreachableError as error:
            self._unheard(error)
            errand.not_before = self.clock() + POLL_SECONDS
        else:
            self._heard()
            errand.tries += 1
            errand.phase, errand.request, errand.reason = Phase.ASKED, request, ""
            return True
        return False

    def _collect(self, errands: Sequence[Errand]) -> None:
        asked = {errand.request: errand for errand in errands if errand.phase is Phase.ASKED and errand.request}
        for request, error in self._ended(list(asked)).items():
            errand = asked[request]
            errand.request = None
            if error is None:
                errand.phase, errand.ended = Phase.DONE, self.clock()
            else:
                self._failed(errand, error)

    def _ended(self, requests: list[str]) -> Mapping[str, LaunchError | None]:
        try:
            found = self.launcher.ended(requests) if requests else {}
        except UnreachableError as error:
            self._unheard(error)
            return {}
        if requests:
            self._heard()
        return found

    def _failed(self, errand: Errand, error: LaunchError) -> None:
        errand.reason = str(error)
        if error.fault in PASSES and errand.tries < self.tries:
            errand.phase = Phase.WAITING
            errand.not_before = self.clock() + self._pause(errand.tries)
            return
        errand.phase = Phase.REFUSED if error.fault is Fault.REFUSED else Phase.FAILED
        errand.ended = self.clock()

    def _pause(self, tries: int) -> float:
        longest = min(PAUSE_SECONDS * float(2 ** (tries - 1)), LONGEST_PAUSE_SECONDS)
        return longest * (0.5 + self.chance())

    def _show(self, errands: Sequence[Errand]) -> None:
        if self.tell is not None:
            self.tell(errands, self.clock())

    def _heard(self) -> None:
        self._silent_since = None

    def _unheard(self, error: UnreachableError) -> None:
        """Bear that nobody answers, for a while."""
        if self._silent_since is None:
            self._silent_since = self.clock()
        elif self.clock() - self._silent_since > OUTAGE_SECONDS:
            raise error
