"""One thing that is asked for one cluster, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """How far an errand is."""

    WAITING = "waiting"
    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    """By the course's policy; nobody asks again."""


class Deed(StrEnum):
    """What is asked."""

    LAUNCH = "launch"
    AUTOSTOP = "autostop"
    DOWN = "down"


WORDS = {
    Deed.LAUNCH: {Phase.ASKED: "launching", Phase.DONE: "up"},
    Deed.AUTOSTOP: {Phase.ASKED: "setting autostop", Phase.DONE: "ends when idle"},
    Deed.DOWN: {Phase.ASKED: "ending", Phase.DONE: "ended"},
}
ENDED = frozenset({Phase.DONE, Phase.FAILED, Phase.REFUSED})


@dataclass(kw_only=True, slots=True)
class Errand:
    """What is asked of SkyPilot for one cluster."""

    name: str
    """The cluster's."""
    deed: Deed
    ask: Callable[[], str]
    """Asks for it, and returns the request."""
    phase: Phase = Phase.WAITING
    reason: str = ""
    """Why it failed, or waits for another try; of one that is done, what there is to know."""
    request: str | None = None
    """That is under way."""
    tries: int = 0
    not_before: float = 0.0
    """When it is tried again, by the crew's clock."""
    began: float | None = None
    ended: float | None = None

    @property
    def word(self) -> str:
        """Its phase, as people are told."""
        return WORDS[self.deed].get(self.phase, self.phase)

    def seconds(self, now: float) -> float | None:
        """Since it was first asked, until it ended; None where it was not."""
        return None if self.began is None else (now if self.ended is None else self.ended) - self.began

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        seconds = None if self.began is None or self.ended is None else round(self.ended - self.began, 1)
        told = {"state": self.word, "reason": self.reason, "tries": self.tries, "seconds": seconds}
        return {"cluster": self.name, "asked": self.deed, **told}
