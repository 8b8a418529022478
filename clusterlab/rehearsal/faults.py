"""Faults of a cloud, injected on purpose: the same ones at the same calls, every time."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum

from clusterlab.errors import InputError, Problem


class Fault(StrEnum):
    """What may go wrong in a rehearsal."""

    PREEMPT = "preempt"
    """The cloud takes the spot machine back while the job trains."""
    CAPACITY = "capacity"
    """The zone that is asked first has no such machine."""
    THROTTLE = "throttle"
    """The cloud answers that there were too many calls."""
    API_500 = "api-500"
    """The cloud fails inside: before it has launched something, and after it has ended something."""
    LOST_ANSWER = "lost-answer"
    """A machine is launched, and nobody hears of it."""
    KILL_CONTROLLER = "kill-controller"
    """What watches over a managed job is killed: its controller, and the API server in which that lives."""
    OUTAGE = "outage"
    """The cloud is gone once it has a machine; from this nothing recovers, and the rehearsal has to say so."""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault of this name.

        Raises:
            InputError: there is none.
        """
        try:
            return cls(text)
        except ValueError:
            message = f"{text!r}; allowed: {', '.join(cls)}"
            raise InputError(Problem(path="--fault", message=message)) from None


MANAGED = (Fault.PREEMPT, Fault.KILL_CONTROLLER)
"""Those that a managed job goes on from."""
ALONE = (*MANAGED, Fault.OUTAGE)
"""Those that are rehearsed by themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An error that the cloud answers with."""

    status: str
    """Of HTTP, such as `503 Service Unavailable`."""
    code: str
    """Of the cloud, such as `RequestLimitExceeded`."""
    message: str
    after: bool = False
    """Whether what was asked is done all the same."""


THROTTLED = Reply(status="503 Service Unavailable", code="RequestLimitExceeded", message="Request limit exceeded.")
BROKEN = Reply(status="500 Internal Server Error", code="InternalError", message="An internal error has occurred.")
LOST = Reply(status="500 Internal Server Error", code="InternalError", message="The answer was lost.", after=True)


@dataclass(kw_only=True)
class Injector:
    """Decides for each call to the cloud whether it fails."""

    faults: frozenset[Fault] = frozenset()
    seed: int = 0
    injected: list[str] = field(default_factory=list)
    """What was injected so far, in order."""
    hit: set[Fault] = field(default_factory=set)
    """Of which faults."""
    _calls: dict[str, int] = field(default_factory=dict)
    _full_zone: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply_to(self, action: str, *, zone: str | None) -> Reply | None:
        """The error for a call, None for those that go through.

        Args:
            action: Of EC2's interface, such as `RunInstances`.
            zone: Where a machine is asked for.
        """
        with self._lock:
            number = self._calls[action] = self._calls.get(action, 0) + 1
            replies = {fault: self._of(fault, action, number, zone) for fault in Fault if fault in self.faults}
            fault, reply = next(((fault, each) for fault, each in replies.items() if each), (None, None))
            if fault is not None and reply is not None:
                self.hit.add(fault)
                self.injected.append(f"{action} {number}: {reply.code}{' after it was done' if reply.after else ''}")
            return reply

    def _of(self, fault: Fault, action: str, number: int, zone: str | None) -> Reply | None:
        if fault is Fault.THROTTLE:
            return THROTTLED if number in self._throttled(action) else None
        if fault is Fault.API_500 and number == 1:
            return {"RunInstances": BROKEN, "TerminateInstances": LOST}.get(action)
        # The first that would have gone through.
        if fault is Fault.LOST_ANSWER and (action, number) == ("RunInstances", 1 + (Fault.API_500 in self.faults)):
            return LOST
        if fault is Fault.CAPACITY and action == "RunInstances" and zone is not None:
            self._full_zone = self._full_zone or zone
            message = f"We currently do not have sufficient capacity in the Availability Zone you requested ({zone})."
            full = Reply(status="400 Bad Request", code="InsufficientInstanceCapacity", message=message)
            return full if zone == self._full_zone else None
        return None

    def _throttled(self, action: str) -> set[int]:
        """Which calls of an action are throttled: two of its first four; a client tries five times."""
        return set(random.Random(f"{self.seed} {action}").sample(range(1, 5), 2))  # noqa: S311 (not for secrets)
