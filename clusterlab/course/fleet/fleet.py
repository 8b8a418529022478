"""Bring a class's clusters up, those that are missing, and take in those that idle.

`class up` and `class warm` both call

    errands = bring_up(wants(cluster, root, day=..., occasion=...), crew)

with `wants` of `clusterlab.course.fleet.want` and a `Crew` that has SkyPilot:
`Crew(launcher=clusterlab.course.fleet.skypilot.SkyPilot(), tell=Screen(console=...).show)`. What is not `Phase.DONE` of
the errands that come back is missing, with its reason. All of it may be killed at any moment, and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from clusterlab.course.fleet.crew import Crew
from clusterlab.course.fleet.errand import Deed, Errand, Phase
from clusterlab.course.fleet.launcher import Condition, Launcher, Seen, Want


def bring_up(wants: Sequence[Want], crew: Crew) -> list[Errand]:
    """Launch what is missing, go on with what was half launched, and leave the rest as it is.

    A launch that somebody asked for and that is under way, as after a `kill -9`, is waited for and not asked for again.

    Returns:
        One errand for each, in their order; that of one which is not up is not done, and has the reason.

    Raises:
        UnreachableError: SkyPilot's server does not answer.
        LaunchError: it does not say what is there.
    """
    if not wants:
        return []
    # In this order: what is up is no longer under way, and what is under way is never missed.
    launching = crew.launcher.launching()
    seen = {each.name: each for each in crew.launcher.clusters(fresh=True)}
    errands = [_to_have(want, seen.get(want.name), launching.get(want.name), crew.launcher) for want in wants]
    there = [errand for errand in errands if errand.phase is Phase.DONE]
    crew.run(errands)
    launched = {errand.name: errand for errand in errands if errand.phase is Phase.DONE and errand not in there}
    if launched:
        _look_again(wants, launched, crew.launcher)
    return errands


def take_in(wants: Sequence[Want], crew: Crew) -> list[Errand]:
    """Have those of the clusters that are there end when they are idle, and end those that nobody launches any more.

    A job that runs is left alone: the cluster itself sees whether it idles, and for how long it has.

    Raises:
        UnreachableError: SkyPilot's server does not answer.
        LaunchError: it does not say what is there.
    """
    launching = crew.launcher.launching()
    seen = {each.name: each for each in crew.launcher.clusters(fresh=False)}
    errands = []
    for want in wants:
        there = seen.get(want.name)
        if there is not None and _is_own(there, want) and want.name not in launching:
            errands += _to_take_in(want, there, crew.launcher)
    crew.run(errands)
    return errands


def _to_have(want: Want, seen: Seen | None, request: str | None, launcher: Launcher) -> Errand:
    ask = partial(launcher.launch, want)
    if request is not None:
        return Errand(name=want.name, deed=Deed.LAUNCH, ask=ask, phase=Phase.ASKED, request=request)
    if seen is None:
        return Errand(name=want.name, deed=Deed.LAUNCH, ask=ask)
    if not _is_own(seen, want):
        return Errand(name=want.name, deed=Deed.LAUNCH, ask=ask, phase=Phase.FAILED, reason=_taken(seen, want))
    if seen.condition is not Condition.UP:
        return Errand(name=want.name, deed=Deed.LAUNCH, ask=ask, reason=seen.condition)
    if _ends_sooner(seen, want.idle_minutes):
        return _autostop(want.name, want.idle_minutes, launcher)
    return Errand(name=want.name, deed=Deed.LAUNCH, ask=ask, phase=Phase.DONE, reason="was up")


def _to_take_in(want: Want, seen: Seen, launcher: Launcher) -> list[Errand]:
    if seen.condition is Condition.HALF:
        return [Errand(name=want.name, deed=Deed.DOWN, ask=partial(launcher.end, want.name))]
    idles = seen.idle_minutes is None or seen.idle_minutes > want.idle_minutes_after or not seen.down
    if seen.condition is Condition.UP and idles:
        return [_autostop(want.name, want.idle_minutes_after, launcher)]
    return []


def _autostop(name: str, minutes: int, launcher: Launcher) -> Errand:
    ask: Callable[[], str] = partial(launcher.end_when_idle, name, minutes)
    return Errand(name=name, deed=Deed.AUTOSTOP, ask=ask)


def _look_again(wants: Sequence[Want], launched: Mapping[str, Errand], launcher: Launcher) -> None:
    """Hold what SkyPilot's server said of each launch against what is there."""
    seen = {each.name: each for each in launcher.clusters(fresh=False)}
    for want in wants:
        errand, there = launched.get(want.name), seen.get(want.name)
        if errand is None:
            continue
        if there is None or there.condition is not Condition.UP:
            errand.phase, errand.reason = Phase.FAILED, f"was launched, and is {there.condition if there else 'gone'}"
        elif not _is_own(there, want):
            errand.phase, errand.reason = Phase.FAILED, _taken(there, want)


def _is_own(seen: Seen, want: Want) -> bool:
    """Whether a cluster is the class's by its labels; one that is only begun may not have any yet."""
    if seen.condition is Condition.HALF and not seen.labels:
        return True
    return all(seen.labels.get(key) == value for key, value in want.owner.items())


def _taken(seen: Seen, want: Want) -> str:
    has = ", ".join(f"{key}={seen.labels.get(key)}" for key in want.owner)
    return f"there is a cluster of that name that is not the class's: {has}"


def _ends_sooner(seen: Seen, minutes: int) -> bool:
    return seen.idle_minutes is not None and seen.idle_minutes < minutes
