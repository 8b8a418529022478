"""SkyPilot's server as a fleet sees it, on a clock of its own: launches take time, and fail as they are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from clusterlab.course.fleet.crew import Crew
from clusterlab.course.fleet.launcher import Condition, Fault, LaunchError, Seen, Want
from clusterlab.errors import UnreachableError

LAUNCH_SECONDS = 60.0


@dataclass(kw_only=True)
class Request:
    """One that was taken."""

    id: str
    name: str
    ends: float
    outcome: LaunchError | None
    becomes: Seen | None
    """The cluster, once it has ended well; None where it is then gone."""
    passed: bool = False
    """Whether that is so by now."""


@dataclass(kw_only=True)
class Server:
    """It keeps clusters and requests when the fleet's process ends."""

    now: float = 0.0
    there: dict[str, Seen] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By cluster: how its launches end, one after another, before they end well."""
    refused_at_once: set[str] = field(default_factory=set)
    gone: tuple[float, float] = (-1.0, -1.0)
    """From when to when nobody answers."""
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    """What was taken: the verb, the cluster, when."""
    looks: list[bool] = field(default_factory=list)
    """Whether each look at the clusters was to be fresh."""
    most: int = 0
    """Launches that were under way together."""

    def crew(self, *, at_once: int = 8, chance: float = 0.5) -> Crew:
        return Crew(launcher=self, at_once=at_once, clock=lambda: self.now, sleep=self.sleep, chance=lambda: chance)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._pass()

    def clusters(self, *, fresh: bool) -> Sequence[Seen]:
        self._answer()
        self.looks.append(fresh)
        return list(self.there.values())

    def launching(self) -> Mapping[str, str]:
        self._answer()
        return {each.name: each.id for each in self._under_way()}

    def launch(self, want: Want) -> str:
        self._answer()
        if want.name in self.refused_at_once:
            raise LaunchError(Fault.REFUSED, f"student {want.name}: 5.00 USD asked, 0.01 of 1.00 free")
        fault = next(iter(self.faults.get(want.name, [])[:1]), None)
        self.faults[want.name] = self.faults.get(want.name, [])[1:]
        labels = want.task["resources"]["labels"]
        half = Seen(name=want.name, condition=Condition.HALF, labels=labels)
        if fault is None:
            self.there[want.name] = half
        up = Seen(name=want.name, condition=Condition.UP, labels=labels, idle_minutes=want.idle_minutes, down=True)
        return self._take("launch", want.name, fault, up)

    def end_when_idle(self, name: str, minutes: int) -> str:
        self._answer()
        before = self.there[name]
        after = Seen(name=name, condition=before.condition, labels=before.labels, idle_minutes=minutes, down=True)
        return self._take("autostop", name, None, after)

    def end(self, name: str) -> str:
        self._answer()
        return self._take("down", name, None, None)

    def ended(self, requests: Collection[str]) -> Mapping[str, LaunchError | None]:
        self._answer()
        found: dict[str, LaunchError | None] = {}
        for each in requests:
            if each not in self.requests:
                found[each] = LaunchError(Fault.INTERRUPTED, "started anew")
            elif self.requests[each].ends <= self.now:
                found[each] = self.requests[each].outcome
        return found

    def restart(self) -> None:
        """As by a power cut: what was under way is forgotten, and half launched."""
        self.requests.clear()

    def _take(self, verb: str, name: str, fault: Fault | None, becomes: Seen | None) -> str:
        self.asked.append((verb, name, self.now))
        outcome = LaunchError(fault, f"the cloud: {fault}") if fault else None
        request = Request(
            id=f"request-{len(self.asked)}",
            name=name,
            ends=self.now + LAUNCH_SECONDS,
            outcome=outcome,
            becomes=becomes,
        )
        self.requests[request.id] = request
        self.most = max(self.most, len(self._under_way()))
        return request.id

    def _under_way(self) -> list[Request]:
        return [each for each in self.requests.values() if each.ends > self.now]

    def _pass(self) -> None:
        for each in [each for each in self.requests.values() if each.ends <= self.now and not each.passed]:
            each.passed = True
            if each.outcome is None and each.becomes is None:
                self.there.pop(each.name, None)
            elif each.outcome is None and each.becomes is not None:
                self.there[each.name] = each.becomes

    def _answer(self) -> None:
        first, last = self.gone
        if first <= self.now < last:
            raise UnreachableError("SkyPilot's API server: connection refused")
