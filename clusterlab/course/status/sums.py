"""A class in four lines, machines, GPUs, jobs and its budget, and a GPU's memory: for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clusterlab.course.status.gpu import Gpu
from clusterlab.course.status.job import State as JobState
from clusterlab.course.status.part import Name, Part
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.words import Words


def sums(snapshot: Snapshot, say: Words) -> Iterator[tuple[str, str, str]]:
    """Machines, GPUs, jobs and the course's budget, each in a few words."""
    machines, jobs, unknown = snapshot.machines, snapshot.jobs, say("unknown")
    running = sum(each.resource.runs for each in machines or ())
    others = len(machines or ()) - running
    told = say("{num} running", num=running) + (f", {say('{num} not', num=others)}" if others else "")
    usd = f"{say.per_hour(snapshot.per_hour)} USD/h"
    if snapshot.clouds_blind:
        told = say("at least {usd}", usd=told)
    yield say("machines"), unknown if machines is None else told, "" if machines is None else usd
    idle = snapshot.idle_per_hour
    shown = say("{state}: {usd} USD/h", state=say("idle"), usd=say.per_hour(idle)) if idle else ""
    yield say("GPUs"), say.gpu_counts(snapshot), shown
    if jobs is not None or snapshot.parts[Name.RAY].blind:
        waiting = sum(each.state is JobState.WAITING for each in jobs or ())
        told = say("{running} running, {waiting} waiting", running=len(jobs or ()) - waiting, waiting=waiting)
        yield say("jobs"), unknown if jobs is None else told, ""
    yield say("budget"), *_course(snapshot, say)


def unseen(snapshot: Snapshot, names: Sequence[Name]) -> list[Part[Any]]:
    """Of these places, those that could not be looked at and had to be; where there are none, those nobody asked."""
    parts = [snapshot.parts[name] for name in names if snapshot.parts[name].problems]
    return [each for each in parts if each.blind] or parts


def _course(snapshot: Snapshot, say: Words) -> tuple[str, str]:
    if snapshot.books is None:
        return say("unknown"), ""
    purse = snapshot.books.purses[0]
    if purse.cap_usd is None:
        return say("{spent} USD, no cap", spent=say.spent(purse.spent)), ""
    return say("{spent} of {cap} USD", spent=say.spent(purse.spent), cap=say.usd(purse.cap_usd)), say.share(purse.share)


def memory(gpu: Gpu) -> str:
    """Used and there, in GiB as NVML counts them."""
    return "" if gpu.memory_mb is None else f"{gpu.memory_mb[0] / 1024:.1f}/{gpu.memory_mb[1] / 1024:.0f} GiB"
